// SPDX-License-Identifier: Apache-2.0
#include "conntrack.h"

#include <cstring>

#include "values.h"

namespace netvitals_native {

Napi::Function Conntrack::define(Napi::Env env) {
    return DefineClass(env, "Conntrack",
                       {InstanceMethod<&Conntrack::open>("open"), InstanceMethod<&Conntrack::release>("release"),
                        InstanceMethod<&Conntrack::lookup>("lookup"), InstanceMethod<&Conntrack::close>("close")});
}

Conntrack::Conntrack(const Napi::CallbackInfo& info)
    : ThreadOwner(info, {"ERR_CONNTRACK_CLOSED", "connection tracking"}) {
    start("netvitals conntrack", Callbacks(options_argument(info, "Conntrack"), "onAnswers"));
    let_process_end();
}

Napi::Value Conntrack::open(const Napi::CallbackInfo& info) {
    check_open("open");
    return ask({Command::open, next_id(), netns_argument(info, "open")});
}

Napi::Value Conntrack::release(const Napi::CallbackInfo& info) {
    check_open("release");
    push({Command::release, info[0].ToNumber().Uint32Value()});
    return info.Env().Undefined();
}

Napi::Value Conntrack::lookup(const Napi::CallbackInfo& info) {
    check_open("lookup");
    push({Command::lookup, 0, Fd(), requests_argument<ConntrackRequest>(info, "lookup")});
    return info.Env().Undefined();
}

Napi::Value Conntrack::close(const Napi::CallbackInfo& info) { return stop_and_reject(); }

void Conntrack::deliver(napi_env env, const Message& message) {
    if (message.ending.id != 0) return settle(env, message.ending);
    const size_t bytes = message.answers.size() * sizeof(ConntrackAnswer);
    Napi::Uint8Array view = Napi::Uint8Array::New(env, bytes);
    if (bytes > 0) memcpy(view.Data(), message.answers.data(), bytes);
    napi_value length;
    napi_create_double(env, static_cast<double>(bytes), &length);
    call_back(env, {view, length});
}

}  // namespace netvitals_native
