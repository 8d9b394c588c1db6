// SPDX-License-Identifier: Apache-2.0
#include "prober.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "values.h"

namespace netvitals_native {
namespace {

constexpr size_t view_bytes_min = 512 * sizeof(ProbeResult);

}  // namespace

Napi::Function Prober::define(Napi::Env env) {
    return DefineClass(env, "Prober",
                       {InstanceMethod<&Prober::open>("open"), InstanceMethod<&Prober::release>("release"),
                        InstanceMethod<&Prober::schedule>("schedule"), InstanceMethod<&Prober::sent>("sent"),
                        InstanceMethod<&Prober::counters>("counters"), InstanceMethod<&Prober::close>("close")});
}

Prober::Prober(const Napi::CallbackInfo& info) : ThreadOwner(info, {"ERR_PROBER_CLOSED", "the prober"}) {
    start("netvitals probes", Callbacks(options_argument(info, "Prober"), "onResults"));
}

Napi::Value Prober::open(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    check_open("open");
    if (!info[1].IsObject())
        throw coded(env, "ERR_INVALID_OPTION", "open(netnsFd, options): expected an object, got " + found(info[1]));
    Napi::Object options = info[1].As<Napi::Object>();
    Command command{Command::open};
    command.echo.payload_bytes = integer_option(options, "payloadBytes", echo_payload_min, echo_payload_max);
    command.echo.ttl = static_cast<int>(integer_option(options, "ttl", 1, 255));
    command.echo.dscp = static_cast<int>(integer_option(options, "dscp", 0, 63));
    command.echo.timeout_ms = integer_option(options, "timeoutMs", 1, 3'600'000);
    command.fd = netns_argument(info, "open");
    command.id = next_id();
    command.sent = std::make_shared<Pinger::Sent>();
    sent_[command.id] = command.sent;
    return ask(std::move(command));
}

Napi::Value Prober::release(const Napi::CallbackInfo& info) {
    check_open("release");
    Command command{Command::release};
    command.id = info[0].ToNumber().Uint32Value();
    sent_.erase(command.id);
    push(std::move(command));
    return info.Env().Undefined();
}

Napi::Value Prober::schedule(const Napi::CallbackInfo& info) {
    Napi::Env env = info.Env();
    check_open("schedule");
    Command command{Command::schedule};
    command.requests = requests_argument<ProbeRequest>(info, "schedule");
    for (const ProbeRequest& request : command.requests)
        if (request.family != 4 && request.family != 6)
            throw coded(env, "ERR_INVALID_OPTION",
                        "schedule(requests, count): family: expected 4 or 6, got " + std::to_string(request.family));
    push(std::move(command));
    return env.Undefined();
}

Napi::Value Prober::sent(const Napi::CallbackInfo& info) {
    check_open("sent");
    auto found = sent_.find(info[0].ToNumber().Uint32Value());
    return Napi::Number::New(info.Env(), found == sent_.end() ? 0 : static_cast<double>(found->second->packets));
}

Napi::Value Prober::counters(const Napi::CallbackInfo& info) {
    check_open("counters");
    Napi::Object out = Napi::Object::New(info.Env());
    const Pinger::Counters& counters = thread()->counters();
    out.Set("late", static_cast<double>(counters.late));
    out.Set("duplicate", static_cast<double>(counters.duplicate));
    out.Set("foreign", static_cast<double>(counters.foreign));
    out.Set("clockSteps", static_cast<double>(counters.clock_steps));
    return out;
}

Napi::Value Prober::close(const Napi::CallbackInfo& info) {
    sent_.clear();
    return stop_and_reject();
}

void Prober::deliver(napi_env env, const Message& message) {
    if (message.ending.id == 0) return deliver_results(env, message.results);
    if (!message.ending.code.empty()) sent_.erase(message.ending.id);
    settle(env, message.ending);
}

void Prober::deliver_results(napi_env env, const std::vector<ProbeResult>& results) {
    const size_t bytes = results.size() * sizeof(ProbeResult);
    if (bytes > view_bytes_) {
        view_bytes_ = std::max(bytes, view_bytes_min);
        Napi::Uint8Array view = Napi::Uint8Array::New(env, view_bytes_);
        bytes_ = view.Data();
        view_ = Napi::Persistent(view);
    }
    memcpy(bytes_, results.data(), bytes);
    napi_value length;
    napi_create_double(env, static_cast<double>(bytes), &length);
    call_back(env, {view_.Value(), length});
}

}  // namespace netvitals_native
