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

Tracer::Tracer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Tracer>(info), env_(info.Env()) {
    Napi::Env env = info.Env();
    Napi::Object options = options_argument(info, "Tracer");
    ProgramSizes sizes{option(options, "ringBytes"), option(options, "maxSockets")};
    if (sizes.ring_bytes & (sizes.ring_bytes - 1) || sizes.ring_bytes < static_cast<uint32_t>(getpagesize()))
        throw coded(env, "ERR_RING_SIZE",
                    "ringBytes: expected a power of two of at least a page (" + std::to_string(getpagesize()) +
                        "), got " + std::to_string(sizes.ring_bytes));
    on_records_ = Napi::Persistent(function_option(options, "onRecords"));
    on_error_ = Napi::Persistent(function_option(options, "onError"));
    for (size_t i = 0; i < Reader::buffer_count; i++) {
        Napi::Uint8Array view = Napi::Uint8Array::New(env, Reader::buffer_bytes);
        bytes_[i] = view.Data();
        views_[i] = Napi::Persistent(view);
    }
    try {
        programs_ = std::make_unique<Programs>(sizes);
        reader_ = std::make_unique<Reader>(*programs_, bytes_);
    } catch (const CodedError& error) {
        throw coded(env, error.code, error.what());
    }
    // Unbounded: the number of buffers bounds it. The object stays while the thread may call.
    to_js_ = Function::New(env, "netvitals records", 0, 1, this,
                           [](Napi::Env, void*, Tracer* self) {
                               // What these close over mostly refers to this object: while they are held, neither goes.
                               self->on_records_.Reset();
                               self->on_error_.Reset();
                               self->Unref();
                           },
                           static_cast<void*>(nullptr));
    Ref();
    // After the function's own hook, so run before it.
    napi_add_env_cleanup_hook(env, on_env_end, this);
    hooked_ = true;
    reader_->begin([this](std::unique_ptr<Reader::Message> message) {
        if (to_js_.NonBlockingCall(message.get()) == napi_ok) message.release();
    });
}

Tracer::~Tracer() { stop(); }

void Tracer::on_env_end(void* self) {
    auto* tracer = static_cast<Tracer*>(self);
    tracer->hooked_ = false;
    tracer->stop();
}

// The thread ends, the programs are detached. On the JavaScript thread; any number of times.
void Tracer::stop() {
    if (hooked_) {
        napi_remove_env_cleanup_hook(env_, on_env_end, this);
        hooked_ = false;
    }
    if (!reader_) return;
    reader_.reset();
    programs_.reset();
    to_js_.Release();
}

void Tracer::check_open(Napi::Env env, const char* method) const {
    if (!reader_) throw coded(env, "ERR_TRACER_CLOSED", std::string(method) + "(): the tracer is closed");
}

Napi::Value Tracer::command(Napi::Env env, Reader::Command command) {
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(env, &deferred, &promise) != napi_ok) throw Napi::Error::New(env);
    command.id = ++last_command_;
    pending_[command.id] = deferred;
    reader_->push(std::move(command));
    return Napi::Value(env, promise);
}

Napi::Value Tracer::sample(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "sample");
    return command(info.Env(), {Reader::Command::sample, 0});
}

Napi::Value Tracer::snapshot(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "snapshot");
    return command(info.Env(), {Reader::Command::snapshot, 0, netns_argument(info, "snapshot")});
}

Napi::Value Tracer::holders(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "holders");
    const Napi::Value ids = info[0];
    const std::string expected =
        "holders(): expected a Float64Array of at most " + std::to_string(NV_WANTED_MAX) + " ids of sockets, got ";
    if (!ids.IsTypedArray() || ids.As<Napi::TypedArray>().TypedArrayType() != napi_float64_array)
        throw coded(info.Env(), "ERR_INVALID_OPTION", expected + found(ids));
    const Napi::Float64Array numbers = ids.As<Napi::Float64Array>();
    if (numbers.ElementLength() > NV_WANTED_MAX)
        throw coded(info.Env(), "ERR_INVALID_OPTION", expected + std::to_string(numbers.ElementLength()));
    Reader::Command command{Reader::Command::holders, 0};
    command.sockets.assign(numbers.Data(), numbers.Data() + numbers.ElementLength());
    return this->command(info.Env(), std::move(command));
}

Napi::Value Tracer::flush(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "flush");
    return command(info.Env(), {Reader::Command::flush, 0});
}

Napi::Value Tracer::pause(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "pause");
    reader_->pause(true);
    return info.Env().Undefined();
}

Napi::Value Tracer::resume(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "resume");
    reader_->pause(false);
    return info.Env().Undefined();
}

Napi::Value Tracer::counters(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "counters");
    Napi::Float64Array out = Napi::Float64Array::New(info.Env(), NV_COUNTERS);
    programs_->counters(out.Data());
    return out;
}

Napi::Value Tracer::usage(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "usage");
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("sockets", reader_->sockets());
    out.Set("mapBytes", programs_->map_bytes());
    return out;
}

Napi::Value Tracer::programs(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "status");
    Napi::Env env = info.Env();
    Napi::Array out = Napi::Array::New(env);
    for (const ProgramStatus& status : programs_->status()) {
        Napi::Object row = Napi::Object::New(env);
        row.Set("name", status.name);
        row.Set("attached", status.attached);
        if (!status.attached) row.Set("reason", status.reason);
        out.Set(out.Length(), row);
    }
    return out;
}

Napi::Value Tracer::close(const Napi::CallbackInfo& info) {
    stop();
    for (auto& [id, deferred] : std::exchange(pending_, {}))
        reject(info.Env(), deferred, "ERR_TRACER_CLOSED", "the tracer was closed before this was done");
    return info.Env().Undefined();
}

void Tracer::deliver(Napi::Env env, Napi::Function, Tracer* self, Reader::Message* raw) {
    std::unique_ptr<Reader::Message> message(raw);
    if (env == nullptr || !self->reader_) return;  // closed, or the environment is going: nobody listens
    Napi::HandleScope scope(env);
    if (message->buffer >= 0)
        self->deliver_records(env, *message);
    else
        self->settle(env, *message);
}

void Tracer::deliver_records(napi_env env, const Reader::Message& message) {
    napi_value length;
    napi_create_double(env, static_cast<double>(message.length), &length);
    // A throw of the callback concerns its batch alone. A throw of onError itself is the process' to handle.
    if (napi_value error = thrown_by(env, on_records_, {views_[message.buffer].Value(), length}))
        if (napi_value second = thrown_by(env, on_error_, {error})) napi_fatal_exception(env, second);
    if (reader_) reader_->give_back(message.buffer);
}

void Tracer::settle(napi_env env, const Reader::Message& message) {
    auto found = pending_.find(message.command);
    if (found == pending_.end()) return;
    napi_deferred deferred = found->second;
    pending_.erase(found);
    if (!message.code.empty()) return reject(env, deferred, message.code, message.error);
    napi_value value;
    napi_create_double(env, message.value, &value);
    napi_resolve_deferred(env, deferred, value);
}

}  // namespace netvitals_native
