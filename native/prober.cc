// SPDX-License-Identifier: Apache-2.0
#include "prober.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "coded_error.h"
#include "values.h"

namespace netvitals_native {
namespace {

constexpr size_t view_bytes_min = 512 * sizeof(ProbeResult);

uint32_t integer(const Napi::Object& options, const char* name, uint32_t least, uint32_t most) {
    Napi::Value value = options.Get(name);
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= least && number <= most) || number != std::floor(number))
        throw coded(options.Env(), "ERR_INVALID_OPTION",
                    std::string(name) + ": expected an integer from " + std::to_string(least) + " to " +
                        std::to_string(most) + ", got " + found(value));
    return static_cast<uint32_t>(number);
}

}  // namespace

Napi::Function Prober::define(Napi::Env env) {
    return DefineClass(env, "Prober",
                       {InstanceMethod<&Prober::open>("open"), InstanceMethod<&Prober::release>("release"),
                        InstanceMethod<&Prober::schedule>("schedule"), InstanceMethod<&Prober::sent>("sent"),
                        InstanceMethod<&Prober::counters>("counters"), InstanceMethod<&Prober::close>("close")});
}

Prober::Prober(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Prober>(info), env_(info.Env()) {
    Napi::Env env = info.Env();
    Napi::Object options = options_argument(info, "Prober");
    on_results_ = Napi::Persistent(function_option(options, "onResults"));
    on_error_ = Napi::Persistent(function_option(options, "onError"));
    try {
        pinger_ = std::make_unique<Pinger>();
    } catch (const CodedError& error) {
        throw coded(env, error.code, error.what());
    }
    to_js_ = Function::New(env, "netvitals probes", 0, 1, this,
                           [](Napi::Env, void*, Prober* self) {
                               // What these close over mostly refers to this object: while they are held, neither goes.
                               self->on_results_.Reset();
                               self->on_error_.Reset();
                               self->Unref();
                           },
                           static_cast<void*>(nullptr));
    Ref();
    // After the function's own hook, so run before it.
    napi_add_env_cleanup_hook(env, on_env_end, this);
    hooked_ = true;
    pinger_->begin([this](std::unique_ptr<Pinger::Message> message) {
        if (to_js_.NonBlockingCall(message.get()) == napi_ok) message.release();
    });
}

Prober::~Prober() { stop(); }

void Prober::on_env_end(void* self) {
    auto* prober = static_cast<Prober*>(self);
    prober->hooked_ = false;
    prober->stop();
}

// The thread ends, the sockets are closed. On the JavaScript thread; any number of times.
void Prober::stop() {
    if (hooked_) {
        napi_remove_env_cleanup_hook(env_, on_env_end, this);
        hooked_ = false;
    }
    if (!pinger_) return;
    pinger_.reset();
    to_js_.Release();
}

void Prober::check_open(Napi::Env env, const char* method) const {
    if (!pinger_) throw coded(env, "ERR_PROBER_CLOSED", std::string(method) + "(): the prober is closed");
}

Napi::Value Prober::open(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    check_open(env, "open");
    if (!info[1].IsObject())
        throw coded(env, "ERR_INVALID_OPTION", "open(netnsFd, options): expected an object, got " + found(info[1]));
    Napi::Object options = info[1].As<Napi::Object>();
    Pinger::Command command{Pinger::Command::open};
    command.echo.payload_bytes = integer(options, "payloadBytes", echo_payload_min, echo_payload_max);
    command.echo.ttl = static_cast<int>(integer(options, "ttl", 1, 255));
    command.echo.dscp = static_cast<int>(integer(options, "dscp", 0, 63));
    command.echo.timeout_ms = integer(options, "timeoutMs", 1, 3'600'000);
    command.fd = netns_argument(info, "open");
    command.netns = ++last_handle_;
    command.sent = std::make_shared<Pinger::Sent>();
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(env, &deferred, &promise) != napi_ok) throw Napi::Error::New(env);
    pending_[command.netns] = deferred;
    sent_[command.netns] = command.sent;
    pinger_->push(std::move(command));
    return Napi::Value(env, promise);
}

Napi::Value Prober::release(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "release");
    Pinger::Command command{Pinger::Command::release};
    command.netns = info[0].ToNumber().Uint32Value();
    sent_.erase(command.netns);
    pinger_->push(std::move(command));
    return info.Env().Undefined();
}

Napi::Value Prober::schedule(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    check_open(env, "schedule");
    const double count = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
    const bool bytes = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    const size_t room = bytes ? info[0].As<Napi::Uint8Array>().ByteLength() / sizeof(ProbeRequest) : 0;
    if (!(count >= 0 && count <= static_cast<double>(room)) || count != std::floor(count))
        throw coded(env, "ERR_INVALID_OPTION",
                    "schedule(requests, count): expected a Uint8Array of at least count times " +
                        std::to_string(sizeof(ProbeRequest)) + " bytes, got " + found(info[1]) + " and room for " +
                        std::to_string(room));
    Pinger::Command command{Pinger::Command::schedule};
    command.requests.resize(static_cast<size_t>(count));
    if (count > 0)
        memcpy(command.requests.data(), info[0].As<Napi::Uint8Array>().Data(),
               command.requests.size() * sizeof(ProbeRequest));
    for (const ProbeRequest& request : command.requests)
        if (request.family != 4 && request.family != 6)
            throw coded(env, "ERR_INVALID_OPTION",
                        "schedule(requests, count): family: expected 4 or 6, got " + std::to_string(request.family));
    pinger_->push(std::move(command));
    return env.Undefined();
}

Napi::Value Prober::sent(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "sent");
    auto found = sent_.find(info[0].ToNumber().Uint32Value());
    return Napi::Number::New(info.Env(), found == sent_.end() ? 0 : static_cast<double>(found->second->packets));
}

Napi::Value Prober::counters(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "counters");
    Napi::Object out = Napi::Object::New(info.Env());
    const Pinger::Counters& counters = pinger_->counters();
    out.Set("late", static_cast<double>(counters.late));
    out.Set("duplicate", static_cast<double>(counters.duplicate));
    out.Set("foreign", static_cast<double>(counters.foreign));
    out.Set("clockSteps", static_cast<double>(counters.clock_steps));
    return out;
}

Napi::Value Prober::close(const Napi::CallbackInfo& info) {
    stop();
    sent_.clear();
    for (auto& [handle, deferred] : std::exchange(pending_, {}))
        reject(info.Env(), deferred, "ERR_PROBER_CLOSED", "the prober was closed before this was done");
    return info.Env().Undefined();
}

void Prober::deliver(Napi::Env env, Napi::Function, Prober* self, Pinger::Message* raw) {
    std::unique_ptr<Pinger::Message> message(raw);
    if (env == nullptr || !self->pinger_) return;  // closed, or the environment is going: nobody listens
    Napi::HandleScope scope(env);
    if (message->opened != 0)
        self->settle(env, *message);
    else
        self->deliver_results(env, *message);
}

void Prober::deliver_results(napi_env env, const Pinger::Message& message) {
    const size_t bytes = message.results.size() * sizeof(ProbeResult);
    if (bytes > view_bytes_) {
        view_bytes_ = std::max(bytes, view_bytes_min);
        Napi::Uint8Array view = Napi::Uint8Array::New(env, view_bytes_);
        bytes_ = view.Data();
        view_ = Napi::Persistent(view);
    }
    memcpy(bytes_, message.results.data(), bytes);
    napi_value length;
    napi_create_double(env, static_cast<double>(bytes), &length);
    // A throw of the callback concerns its batch alone. A throw of onError itself is the process' to handle.
    if (napi_value error = thrown_by(env, on_results_, {view_.Value(), length}))
        if (napi_value second = thrown_by(env, on_error_, {error})) napi_fatal_exception(env, second);
}

void Prober::settle(napi_env env, const Pinger::Message& message) {
    auto found = pending_.find(message.opened);
    if (found == pending_.end()) return;
    napi_deferred deferred = found->second;
    pending_.erase(found);
    if (!message.code.empty()) {
        sent_.erase(message.opened);
        return reject(env, deferred, message.code, message.error);
    }
    napi_value value;
    napi_create_double(env, message.opened, &value);
    napi_resolve_deferred(env, deferred, value);
}

}  // namespace netvitals_native
