// SPDX-License-Identifier: Apache-2.0
#include "conntrack.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <system_error>
#include <utility>

#include "values.h"

namespace netvitals_native {

Napi::Function Conntrack::define(Napi::Env env) {
    return DefineClass(env, "Conntrack",
                       {InstanceMethod<&Conntrack::open>("open"), InstanceMethod<&Conntrack::release>("release"),
                        InstanceMethod<&Conntrack::lookup>("lookup"), InstanceMethod<&Conntrack::close>("close")});
}

Conntrack::Conntrack(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Conntrack>(info), env_(info.Env()) {
    Napi::Env env = info.Env();
    Napi::Object options = options_argument(info, "Conntrack");
    on_answers_ = Napi::Persistent(function_option(options, "onAnswers"));
    on_error_ = Napi::Persistent(function_option(options, "onError"));
    // Without a way back the first visit elsewhere would be for good.
    if (!visits_->knows_home())
        throw coded(env, "ERR_CONNTRACK", std::string("opening /proc/thread-self/ns/net: ") + strerror(errno));
    to_js_ = Function::New(env, "netvitals conntrack", 0, 1, this,
                           [](Napi::Env, void*, Conntrack* self) {
                               // What these close over mostly refers to this object: while they are held, neither goes.
                               self->on_answers_.Reset();
                               self->on_error_.Reset();
                               self->Unref();
                           },
                           static_cast<void*>(nullptr));
    // Waiting for an answer is no reason for a process to live on.
    to_js_.Unref(env);
    Ref();
    napi_add_env_cleanup_hook(env, on_env_end, this);
    hooked_ = true;
    open_ = true;
}

Conntrack::~Conntrack() { stop(); }

void Conntrack::on_env_end(void* self) {
    auto* conntrack = static_cast<Conntrack*>(self);
    conntrack->hooked_ = false;
    conntrack->stop();
}

// On the JavaScript thread; any number of times.
void Conntrack::stop() {
    if (hooked_) {
        napi_remove_env_cleanup_hook(env_, on_env_end, this);
        hooked_ = false;
    }
    if (!open_) return;
    open_ = false;
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
    commands_.clear();
    sockets_.clear();
    visits_.reset();
    to_js_.Release();
}

void Conntrack::check_open(Napi::Env env, const char* method) const {
    if (!open_) throw coded(env, "ERR_CONNTRACK_CLOSED", std::string(method) + "(): connection tracking is closed");
}

// The thread starts with the first command: where there is none left to start, its caller hears of it.
void Conntrack::push(Napi::Env env, Command command) {
    try {
        if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        throw coded(env, "ERR_CONNTRACK", std::string("starting the thread that asks connection tracking: ") + error.what());
    }
    {
        std::lock_guard lock(mutex_);
        commands_.push_back(std::move(command));
    }
    changed_.notify_one();
}

Napi::Value Conntrack::open(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "open");
    Fd netns = netns_argument(info, "open");
    const uint32_t handle = ++last_handle_;
    push(info.Env(), {Command::open, handle, std::move(netns), {}});
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(info.Env(), &deferred, &promise) != napi_ok) throw Napi::Error::New(info.Env());
    pending_[handle] = deferred;
    return Napi::Value(info.Env(), promise);
}

Napi::Value Conntrack::release(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "release");
    push(info.Env(), {Command::release, info[0].ToNumber().Uint32Value(), Fd(), {}});
    return info.Env().Undefined();
}

Napi::Value Conntrack::lookup(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "lookup");
    const double count = info[1].IsNumber() ? info[1].As<Napi::Number>().DoubleValue() : -1;
    const bool bytes = info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
    const size_t room = bytes ? info[0].As<Napi::Uint8Array>().ByteLength() / sizeof(ConntrackRequest) : 0;
    if (!(count >= 0 && count <= static_cast<double>(room)) || count != std::floor(count))
        throw coded(info.Env(), "ERR_INVALID_OPTION",
                    "lookup(requests, count): expected a Uint8Array of at least count times " +
                        std::to_string(sizeof(ConntrackRequest)) + " bytes, got " + found(info[1]) + " and room for " +
                        std::to_string(room));
    std::vector<ConntrackRequest> requests(static_cast<size_t>(count));
    if (!requests.empty())
        memcpy(requests.data(), info[0].As<Napi::Uint8Array>().Data(), requests.size() * sizeof(ConntrackRequest));
    push(info.Env(), {Command::lookup, 0, Fd(), std::move(requests)});
    return info.Env().Undefined();
}

Napi::Value Conntrack::close(const Napi::CallbackInfo& info) {
    stop();
    for (auto& [handle, deferred] : std::exchange(pending_, {}))
        reject(info.Env(), deferred, "ERR_CONNTRACK_CLOSED", "connection tracking was closed before this was done");
    return info.Env().Undefined();
}

void Conntrack::run() {
    for (;;) {
        Command command;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || !commands_.empty(); });
            if (stopping_) return;
            command = std::move(commands_.front());
            commands_.pop_front();
        }
        if (command.kind == Command::release) {
            sockets_.erase(command.handle);
            continue;
        }
        auto message = std::make_unique<Message>();
        if (command.kind == Command::open)
            enter(command, message.get());
        else
            answer_all(command.requests, message.get());
        if (to_js_.NonBlockingCall(message.get()) == napi_ok) message.release();
    }
}

void Conntrack::enter(const Command& command, Message* message) {
    message->opened = command.handle;
    if (const int error = visits_->enter(command.netns)) {
        message->code = error == EPERM ? "ERR_SETNS_PERMISSION" : "ERR_SETNS";
        message->error = std::string("setns(): ") + strerror(error);
        return;
    }
    sockets_.emplace(command.handle, CtSocket());
    visits_->leave();
}

void Conntrack::answer_all(const std::vector<ConntrackRequest>& requests, Message* message) {
    message->answers.reserve(requests.size());
    for (const ConntrackRequest& request : requests) {
        // Who closes waits for this thread, and for nothing that a slow kernel still has to say.
        if (stopping_) return;
        message->answers.push_back(answer(request));
    }
}

ConntrackAnswer Conntrack::answer(const ConntrackRequest& request) {
    Tuple tuple{request.family, request.source_port, request.destination_port, {}, {}};
    memcpy(tuple.source, request.source, sizeof(tuple.source));
    memcpy(tuple.destination, request.destination, sizeof(tuple.destination));
    Endpoint answered;
    int error = ENOENT;
    for (const uint32_t handle : {request.first, request.second}) {
        auto socket = sockets_.find(handle);
        if (socket == sockets_.end()) continue;
        const int result = socket->second.lookup(tuple, &answered);
        if (result == 0 || error == ENOENT) error = result;
        if (result == 0) break;
    }
    ConntrackAnswer out{request.token, error, answered.port, {}, {}};
    memcpy(out.address, answered.address, sizeof(out.address));
    return out;
}

void Conntrack::deliver(Napi::Env env, Napi::Function, Conntrack* self, Message* raw) {
    std::unique_ptr<Message> message(raw);
    if (env == nullptr || !self->open_) return;  // closed, or the environment is going: nobody listens
    Napi::HandleScope scope(env);
    if (message->opened != 0) return self->settle(env, *message);
    const size_t bytes = message->answers.size() * sizeof(ConntrackAnswer);
    Napi::Uint8Array view = Napi::Uint8Array::New(env, bytes);
    if (bytes > 0) memcpy(view.Data(), message->answers.data(), bytes);
    napi_value length;
    napi_create_double(env, static_cast<double>(bytes), &length);
    if (napi_value error = thrown_by(env, self->on_answers_, {view, length}))
        if (napi_value second = thrown_by(env, self->on_error_, {error})) napi_fatal_exception(env, second);
}

void Conntrack::settle(napi_env env, const Message& message) {
    auto found = pending_.find(message.opened);
    if (found == pending_.end()) return;
    napi_deferred deferred = found->second;
    pending_.erase(found);
    if (!message.code.empty()) return reject(env, deferred, message.code, message.error);
    napi_value value;
    napi_create_double(env, message.opened, &value);
    napi_resolve_deferred(env, deferred, value);
}

}  // namespace netvitals_native
