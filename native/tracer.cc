// SPDX-License-Identifier: Apache-2.0
#include "tracer.h"

#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "bpf/events.h"

namespace netvitals_native {
namespace {

constexpr int poll_ms = 100;          // how old a record may grow in a quiet ring
constexpr size_t walk_bytes = 32768;  // what the kernel's seq_file gives at most; always whole records

Napi::Error coded(Napi::Env env, const std::string& code, const std::string& message) {
    Napi::Error error = Napi::Error::New(env, message);
    error.Set("code", Napi::String::New(env, code));
    return error;
}

uint32_t option(const Napi::Object& options, const char* name) {
    Napi::Value value = options.Get(name);
    double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (!(number >= 1 && number <= 0x80000000u) || number != static_cast<uint32_t>(number))
        throw coded(options.Env(), "ERR_INVALID_OPTION", std::string(name) + ": expected an integer from 1 to 2147483648");
    return static_cast<uint32_t>(number);
}

Napi::Function function_option(const Napi::Object& options, const char* name) {
    Napi::Value value = options.Get(name);
    if (!value.IsFunction())
        throw coded(options.Env(), "ERR_INVALID_OPTION", std::string(name) + ": expected a function");
    return value.As<Napi::Function>();
}

}  // namespace

Napi::Function Tracer::define(Napi::Env env) {
    return DefineClass(env, "Tracer",
                       {InstanceMethod<&Tracer::sample>("sample"), InstanceMethod<&Tracer::snapshot>("snapshot"),
                        InstanceMethod<&Tracer::flush>("flush"), InstanceMethod<&Tracer::pause>("pause"),
                        InstanceMethod<&Tracer::resume>("resume"), InstanceMethod<&Tracer::counters>("counters"),
                        InstanceMethod<&Tracer::usage>("usage"), InstanceMethod<&Tracer::close>("close"),
                        InstanceMethod<&Tracer::programs>("status")});
}

Tracer::Tracer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Tracer>(info), env_(info.Env()) {
    Napi::Env env = info.Env();
    if (!info[0].IsObject()) throw coded(env, "ERR_INVALID_OPTION", "createTracer: expected an options object");
    Napi::Object options = info[0].As<Napi::Object>();
    ProgramSizes sizes{option(options, "ringBytes"), option(options, "maxSockets")};
    if (sizes.ring_bytes & (sizes.ring_bytes - 1) || sizes.ring_bytes < static_cast<uint32_t>(getpagesize()))
        throw coded(env, "ERR_RING_SIZE",
                    "ringBytes: expected a power of two of at least a page (" + std::to_string(getpagesize()) +
                        "), got " + std::to_string(sizes.ring_bytes));
    on_records_ = Napi::Persistent(function_option(options, "onRecords"));
    on_error_ = Napi::Persistent(function_option(options, "onError"));
    try {
        programs_ = std::make_unique<Programs>(sizes);
    } catch (const CodedError& error) {
        throw coded(env, error.code, error.what());
    }
    ring_ = ring_buffer__new(programs_->ring_fd(), on_record, this, nullptr);
    wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!ring_ || wake_fd_ < 0) throw coded(env, "ERR_RING", std::string("mapping the ring buffer: ") + strerror(errno));
    for (size_t i = 0; i < buffer_count; i++) {
        Napi::ArrayBuffer array = Napi::ArrayBuffer::New(env, buffer_bytes);
        bytes_[i] = static_cast<uint8_t*>(array.Data());
        arrays_[i] = Napi::Persistent(array);
        views_[i] = Napi::Persistent(Napi::Uint8Array::New(env, buffer_bytes, array, 0));
    }
    // The queue's bound is the number of buffers; the object stays while the thread may call.
    Ref();
    to_js_ = Function::New(env, "netvitals records", 0, 1, this,
                           [](Napi::Env, void*, Tracer* self) { self->Unref(); }, static_cast<void*>(nullptr));
    napi_add_env_cleanup_hook(env, on_env_end, this);
    hooked_ = true;
    thread_ = std::thread([this] { run(); });
}

Tracer::~Tracer() {
    stop();
    if (ring_) ring_buffer__free(ring_);
    if (wake_fd_ >= 0) ::close(wake_fd_);
}

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
    if (!thread_.joinable()) return;
    {
        std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    buffer_free_.notify_all();
    eventfd_write(wake_fd_, 1);
    thread_.join();
    to_js_.Release();
    if (ring_) ring_buffer__free(ring_);
    ring_ = nullptr;
    programs_.reset();
}

void Tracer::check_open(Napi::Env env, const char* method) const {
    if (closed_) throw coded(env, "ERR_TRACER_CLOSED", std::string(method) + "(): the tracer is closed");
}

Napi::Value Tracer::command(Napi::Env env, Command::Kind kind, int netns_fd) {
    auto done = std::make_shared<Napi::Promise::Deferred>(env);
    {
        std::lock_guard lock(mutex_);
        commands_.push_back({kind, netns_fd, done});
    }
    eventfd_write(wake_fd_, 1);
    return done->Promise();
}

Napi::Value Tracer::sample(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "sample");
    return command(info.Env(), Command::kSample, -1);
}

Napi::Value Tracer::snapshot(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "snapshot");
    if (!info[0].IsNumber())
        throw coded(info.Env(), "ERR_INVALID_OPTION", "snapshot(netnsFd): expected a file descriptor, or -1");
    int fd = info[0].As<Napi::Number>().Int32Value();
    // A copy: the caller may close its own before the thread comes to it.
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && copy < 0)
        throw coded(info.Env(), "ERR_INVALID_OPTION", std::string("snapshot(netnsFd): ") + strerror(errno));
    return command(info.Env(), Command::kSnapshot, copy);
}

Napi::Value Tracer::flush(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "flush");
    return command(info.Env(), Command::kFlush, -1);
}

Napi::Value Tracer::pause(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "pause");
    paused_ = true;
    return info.Env().Undefined();
}

Napi::Value Tracer::resume(const Napi::CallbackInfo& info) {
    check_open(info.Env(), "resume");
    paused_ = false;
    eventfd_write(wake_fd_, 1);
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
    out.Set("sockets", sockets_.load());
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
    if (closed_) return info.Env().Undefined();
    closed_ = true;
    stop();
    for (Command& command : commands_) {
        if (command.netns_fd >= 0) ::close(command.netns_fd);
        command.done->Reject(coded(info.Env(), "ERR_TRACER_CLOSED", "the tracer was closed before this was done").Value());
    }
    commands_.clear();
    return info.Env().Undefined();
}

void Tracer::deliver(Napi::Env env, Napi::Function, Tracer* self, Message* raw) {
    std::unique_ptr<Message> message(raw);
    if (env == nullptr) return;  // the environment is going: nobody listens
    Napi::HandleScope scope(env);
    if (message->buffer >= 0) self->deliver_records(env, *message);
    if (message->done) self->settle(env, *message);
}

void Tracer::deliver_records(Napi::Env env, const Message& message) {
    if (!closed_) {
        try {
            on_records_.Call({views_[message.buffer].Value(), Napi::Number::New(env, static_cast<double>(message.length))});
        } catch (const Napi::Error& error) {
            // A throw of the callback concerns its batch alone. A throw of onError itself is the process' to handle.
            try {
                on_error_.Call({error.Value()});
            } catch (const Napi::Error& second) {
                napi_fatal_exception(env, second.Value());
            }
        }
    }
    {
        std::lock_guard lock(mutex_);
        busy_[message.buffer] = false;
    }
    buffer_free_.notify_one();
}

void Tracer::settle(Napi::Env env, const Message& message) {
    if (message.code.empty())
        message.done->Resolve(Napi::Number::New(env, message.value));
    else
        message.done->Reject(coded(env, message.code, message.error).Value());
}

void Tracer::run() {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event ring_event{EPOLLIN, {.u32 = 0}}, wake_event{EPOLLIN, {.u32 = 1}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, ring_buffer__epoll_fd(ring_), &ring_event);
    epoll_ctl(epoll, EPOLL_CTL_ADD, wake_fd_, &wake_event);
    while (!stopping_) {
        epoll_event events[2];
        // Edge by edge for the ring: while paused its readiness must not spin.
        if (paused_)
            usleep(5000);
        else
            epoll_wait(epoll, events, 2, poll_ms);
        eventfd_t ignored;
        eventfd_read(wake_fd_, &ignored);
        if (paused_) continue;
        programs_->rearm_wakeup();
        drain();
        for (;;) {
            Command next;
            {
                std::lock_guard lock(mutex_);
                if (commands_.empty() || stopping_) break;
                next = std::move(commands_.front());
                commands_.pop_front();
            }
            run_command(next);
        }
    }
    ::close(epoll);
}

void Tracer::run_command(const Command& command) {
    auto message = std::make_unique<Message>();
    message->done = command.done;
    try {
        if (command.kind == Command::kSample) {
            // In order with the ring: an end that came before the walk is delivered before it, one that comes
            // while it runs, after.
            std::vector<int> fds = programs_->open_sample();
            for (int fd : fds) {
                message->value += walk(fd);
                ::close(fd);
            }
            sockets_ = message->value;
        } else if (command.kind == Command::kSnapshot) {
            message->value = snapshot_namespace(command.netns_fd);
        }
        drain();
        send_buffer();
    } catch (const CodedError& error) {
        message->code = error.code;
        message->error = error.what();
    }
    if (command.netns_fd >= 0) ::close(command.netns_fd);
    send(std::move(message));
}

// Reads one walk to its end; the number of records. Leaves the descriptor to the caller.
double Tracer::walk(int fd) {
    double records = 0;
    for (int chunk = 1; !stopping_; chunk++) {
        if (current_ >= 0 && buffer_bytes - filled_ < walk_bytes) send_buffer();
        if (!take_buffer()) break;
        ssize_t n = read(fd, bytes_[current_] + filled_, walk_bytes);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) break;
        filled_ += static_cast<size_t>(n);
        records += static_cast<double>(n) / sizeof(nv_conn);
        if (chunk % 8 == 0) drain();
    }
    return records;
}

double Tracer::snapshot_namespace(int netns_fd) {
    int own = -1;
    if (netns_fd >= 0) {
        own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        if (own < 0 || setns(netns_fd, CLONE_NEWNET)) {
            int error = errno;
            if (own >= 0) ::close(own);
            throw CodedError(error == EPERM ? "ERR_SETNS_PERMISSION" : "ERR_SETNS",
                             std::string("entering a network namespace: ") + strerror(error));
        }
    }
    double seen = 0;
    std::string code, what;
    try {
        int fd = programs_->open_snapshot();
        seen = walk(fd);
        ::close(fd);
        programs_->clear_listeners();
    } catch (const CodedError& error) {
        code = error.code;
        what = error.what();
    }
    if (own >= 0) {
        setns(own, CLONE_NEWNET);
        ::close(own);
    }
    if (!code.empty()) throw CodedError(code, what);
    return seen;
}

int Tracer::on_record(void* raw, void* data, size_t size) {
    auto* self = static_cast<Tracer*>(raw);
    if (self->current_ >= 0 && buffer_bytes - self->filled_ < size) self->send_buffer();
    if (!self->take_buffer()) return -ECANCELED;
    memcpy(self->bytes_[self->current_] + self->filled_, data, size);
    self->filled_ += size;
    return 0;
}

void Tracer::drain() {
    if (paused_) return;
    ring_buffer__consume(ring_);
    if (filled_ > 0) send_buffer();
}

// A buffer to fill; false when the tracer stops while all are with JavaScript.
bool Tracer::take_buffer() {
    if (current_ >= 0) return true;
    std::unique_lock lock(mutex_);
    for (;;) {
        if (stopping_) return false;
        for (size_t i = 0; i < buffer_count; i++) {
            if (busy_[i]) continue;
            busy_[i] = true;
            current_ = static_cast<int>(i);
            filled_ = 0;
            return true;
        }
        buffer_free_.wait(lock);
    }
}

void Tracer::send_buffer() {
    if (current_ < 0 || filled_ == 0) return;
    auto message = std::make_unique<Message>();
    message->buffer = current_;
    message->length = filled_;
    current_ = -1;
    filled_ = 0;
    send(std::move(message));
}

void Tracer::send(std::unique_ptr<Message> message) {
    Message* raw = message.release();
    if (to_js_.NonBlockingCall(raw) != napi_ok) delete raw;
}

}  // namespace netvitals_native
