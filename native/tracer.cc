// SPDX-License-Identifier: Apache-2.0
#include "tracer.h"

#include <unistd.h>

#include <utility>

#include "bpf/events.h"
#include "values.h"

namespace netvitals_native {

Napi::Function Tracer::define(Napi::Env env) {
    return DefineClass(env, "Tracer",
                       {InstanceMethod<&Tracer::sample>("sample"), InstanceMethod<&Tracer::snapshot>("snapshot"),
                        InstanceMethod<&Tracer::flush>("flush"), InstanceMethod<&Tracer::pause>("pause"),
                        InstanceMethod<&Tracer::resume>("resume"), InstanceMethod<&Tracer::counters>("counters"),
                        InstanceMethod<&Tracer::usage>("usage"), InstanceMethod<&Tracer::close>("close"),
                        InstanceMethod<&Tracer::programs>("status"), InstanceMethod<&Tracer::holders>("holders")});
}

Tracer::Tracer(const Napi::CallbackInfo& info) : ThreadOwner(info, {"ERR_TRACER_CLOSED", "the tracer"}) {
    Napi::Env env = info.Env();
    Napi::Object options = options_argument(info, "Tracer");
    const uint32_t most = 0x80000000u;
    ProgramSizes sizes{integer_option(options, "ringBytes", 1, most), integer_option(options, "maxSockets", 1, most)};
    if (sizes.ring_bytes & (sizes.ring_bytes - 1) || sizes.ring_bytes < static_cast<uint32_t>(getpagesize()))
        throw coded(env, "ERR_RING_SIZE",
                    "ringBytes: expected a power of two of at least a page (" + std::to_string(getpagesize()) +
                        "), got " + std::to_string(sizes.ring_bytes));
    const bool joins = boolean_option(options, "joinEnds");
    Callbacks callbacks(options, "onRecords");
    for (size_t i = 0; i < Reader::buffer_count; i++) {
        Napi::Uint8Array view = Napi::Uint8Array::New(env, Reader::buffer_bytes);
        bytes_[i] = view.Data();
        views_[i] = Napi::Persistent(view);
    }
    start("netvitals records", std::move(callbacks), sizes, bytes_, joins);
}

Napi::Value Tracer::sample(const Napi::CallbackInfo& info) {
    check_open("sample");
    return ask({Command::sample, next_id()});
}

Napi::Value Tracer::snapshot(const Napi::CallbackInfo& info) {
    check_open("snapshot");
    return ask({Command::snapshot, next_id(), netns_argument(info, "snapshot")});
}

Napi::Value Tracer::holders(const Napi::CallbackInfo& info) {
    check_open("holders");
    const Napi::Value ids = info[0];
    const std::string expected =
        "holders(): expected a Float64Array of at most " + std::to_string(NV_WANTED_MAX) + " ids of sockets, got ";
    if (!ids.IsTypedArray() || ids.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
        throw coded(info.Env(), "ERR_INVALID_OPTION", expected + found(ids));
    const Napi::Float64Array numbers = ids.As<Napi::Float64Array>();
    if (numbers.ElementLength() > NV_WANTED_MAX)
        throw coded(info.Env(), "ERR_INVALID_OPTION", expected + std::to_string(numbers.ElementLength()));
    Command command{Command::holders, next_id()};
    command.sockets.assign(numbers.Data(), numbers.Data() + numbers.ElementLength());
    return ask(std::move(command));
}

Napi::Value Tracer::flush(const Napi::CallbackInfo& info) {
    check_open("flush");
    return ask({Command::flush, next_id()});
}

Napi::Value Tracer::pause(const Napi::CallbackInfo& info) {
    check_open("pause");
    thread()->pause(true);
    return info.Env().Undefined();
}

Napi::Value Tracer::resume(const Napi::CallbackInfo& info) {
    check_open("resume");
    thread()->pause(false);
    return info.Env().Undefined();
}

Napi::Value Tracer::counters(const Napi::CallbackInfo& info) {
    check_open("counters");
    Napi::Float64Array out = Napi::Float64Array::New(info.Env(), NV_COUNTERS);
    thread()->programs().counters(out.Data());
    return out;
}

Napi::Value Tracer::usage(const Napi::CallbackInfo& info) {
    check_open("usage");
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("sockets", thread()->sockets());
    out.Set("mapBytes", thread()->programs().map_bytes());
    return out;
}

Napi::Value Tracer::programs(const Napi::CallbackInfo& info) {
    check_open("status");
    Napi::Env env = info.Env();
    Napi::Array out = Napi::Array::New(env);
    for (const ProgramStatus& status : thread()->programs().status()) {
        Napi::Object row = Napi::Object::New(env);
        row.Set("name", status.name);
        row.Set("attached", status.attached);
        if (!status.attached) row.Set("reason", status.reason);
        out.Set(out.Length(), row);
    }
    return out;
}

Napi::Value Tracer::close(const Napi::CallbackInfo& info) { return stop_and_reject(); }

void Tracer::deliver(napi_env env, const Message& message) {
    if (message.buffer < 0) return settle(env, message.ending);
    napi_value length;
    napi_create_double(env, static_cast<double>(message.length), &length);
    call_back(env, {views_[message.buffer].Value(), length});
    if (thread()) thread()->give_back(message.buffer);
}

}  // namespace netvitals_native
