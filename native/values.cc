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

uint32_t option(const Napi::Object& options, const char* name) {
    Napi::Value value = options.Get(name);
    double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 1 && number <= 0x80000000u) || number != std::floor(number))
        throw coded(options.Env(), "ERR_INVALID_OPTION",
                    std::string(name) + ": expected an integer from 1 to 2147483648, got " + found(value));
    return static_cast<uint32_t>(number);
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

napi_value thrown_by(napi_env env, const Napi::FunctionReference& function, std::initializer_list<napi_value> args) {
    napi_value undefined, result, error = nullptr;
    napi_get_undefined(env, &undefined);
    if (napi_call_function(env, undefined, function.Value(), args.size(), args.begin(), &result) == napi_ok) return nullptr;
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending) napi_get_and_clear_last_exception(env, &error);
    return error;
}

void reject(napi_env env, napi_deferred promise, const std::string& code, const std::string& message) {
    napi_value code_value, message_value, error;
    napi_create_string_utf8(env, code.c_str(), code.size(), &code_value);
    napi_create_string_utf8(env, message.c_str(), message.size(), &message_value);
    if (napi_create_error(env, code_value, message_value, &error) == napi_ok) napi_reject_deferred(env, promise, error);
}

}  // namespace netvitals_native
