// SPDX-License-Identifier: Apache-2.0
#include "values.h"

#include <fcntl.h>

#include <cerrno>
#include <cmath>
#include <cstring>

namespace netvitals_native {

Napi::Error coded(Napi::Env env, const std::string& code, const std::string& message) {
    Napi::Error error = Napi::Error::New(env, message);
    error.Set("code", Napi::String::New(env, code));
    return error;
}

std::string found(const Napi::Value& value) { return value.ToString().Utf8Value(); }

Napi::Object options_argument(const Napi::CallbackInfo& info, const char* of) {
    if (!info[0].IsObject())
        throw coded(info.Env(), "ERR_INVALID_OPTION",
                    std::string(of) + "(options): expected an object, got " + found(info[0]));
    return info[0].As<Napi::Object>();
}

uint32_t integer_option(const Napi::Object& options, const char* name, uint32_t least, uint32_t most) {
    Napi::Value value = options.Get(name);
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= least && number <= most) || number != std::floor(number))
        throw coded(options.Env(), "ERR_INVALID_OPTION",
                    std::string(name) + ": expected an integer from " + std::to_string(least) + " to " +
                        std::to_string(most) + ", got " + found(value));
    return static_cast<uint32_t>(number);
}

bool boolean_option(const Napi::Object& options, const char* name) {
    Napi::Value value = options.Get(name);
    if (value.IsUndefined()) return false;
    if (!value.IsBoolean())
        throw coded(options.Env(), "ERR_INVALID_OPTION", std::string(name) + ": expected a boolean, got " + found(value));
    return value.As<Napi::Boolean>().Value();
}

Napi::Function function_option(const Napi::Object& options, const char* name) {
    Napi::Value value = options.Get(name);
    if (!value.IsFunction())
        throw coded(options.Env(), "ERR_INVALID_OPTION", std::string(name) + ": expected a function, got " + found(value));
    return value.As<Napi::Function>();
}

Fd netns_argument(const Napi::CallbackInfo& info, const char* method) {
    const std::string what = std::string(method) + "(netnsFd): ";
    double number = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -2;
    if (!(number >= -1 && number <= 0x7fffffff) || number != std::floor(number))
        throw coded(info.Env(), "ERR_INVALID_OPTION", what + "expected a file descriptor, or -1, got " + found(info[0]));
    if (number < 0) return Fd();
    Fd copy(fcntl(static_cast<int>(number), F_DUPFD_CLOEXEC, 0));
    if (!copy)
        throw coded(info.Env(), "ERR_INVALID_OPTION", what + "descriptor " + found(info[0]) + ": " + strerror(errno));
    return copy;
}

size_t requests_count(const Napi::CallbackInfo& info, const char* method, size_t request_bytes) {
    const double count = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
    const bool bytes = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    const size_t room = bytes ? info[0].As<Napi::Uint8Array>().ByteLength() / request_bytes : 0;
    if (!(count >= 0 && count <= static_cast<double>(room)) || count != std::floor(count))
        throw coded(info.Env(), "ERR_INVALID_OPTION",
                    std::string(method) + "(requests, count): expected a Uint8Array of at least count times " +
                        std::to_string(request_bytes) + " bytes, got " + found(info[1]) + " and room for " +
                        std::to_string(room));
    return static_cast<size_t>(count);
}

}  // namespace netvitals_native
