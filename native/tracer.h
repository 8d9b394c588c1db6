// SPDX-License-Identifier: Apache-2.0
// The tracer that JavaScript holds: a thread that drains the ring and runs the walks, and the way of their
// records into JavaScript, one call a batch.
#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "programs.h"

struct ring_buffer;

namespace netvitals_native {

class Tracer : public Napi::ObjectWrap<Tracer> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Tracer(const Napi::CallbackInfo& info);
    ~Tracer() override;

private:
    // Buffers are few, so a slow JavaScript side makes the thread wait and the ring fill, and nothing else.
    static constexpr size_t buffer_count = 3;
    static constexpr size_t buffer_bytes = 512 * 1024;

    struct Command {
        enum Kind { kSample, kSnapshot, kFlush } kind;
        int netns_fd;
        std::shared_ptr<Napi::Promise::Deferred> done;
    };
    // One message to JavaScript: records of a buffer, or the end of a command.
    struct Message {
        int buffer = -1;
        size_t length = 0;
        std::shared_ptr<Napi::Promise::Deferred> done;
        double value = 0;
        std::string code, error;
    };

    Napi::Value sample(const Napi::CallbackInfo& info);
    Napi::Value snapshot(const Napi::CallbackInfo& info);
    Napi::Value flush(const Napi::CallbackInfo& info);
    Napi::Value pause(const Napi::CallbackInfo& info);
    Napi::Value resume(const Napi::CallbackInfo& info);
    Napi::Value counters(const Napi::CallbackInfo& info);
    Napi::Value usage(const Napi::CallbackInfo& info);
    Napi::Value programs(const Napi::CallbackInfo& info);
    Napi::Value close(const Napi::CallbackInfo& info);

    void check_open(Napi::Env env, const char* method) const;
    Napi::Value command(Napi::Env env, Command::Kind kind, int netns_fd);
    void stop();
    static void on_env_end(void* self);
    static void deliver(Napi::Env env, Napi::Function callback, Tracer* self, Message* message);
    void deliver_records(Napi::Env env, const Message& message);
    void settle(Napi::Env env, const Message& message);

    // On the thread.
    void run();
    void run_command(const Command& command);
    double walk(int fd);
    double snapshot_namespace(int netns_fd);
    void drain();
    bool take_buffer();
    void send_buffer();
    void send(std::unique_ptr<Message> message);
    static int on_record(void* self, void* data, size_t size);

    using Function = Napi::TypedThreadSafeFunction<Tracer, Message, deliver>;

    std::unique_ptr<Programs> programs_;
    ring_buffer* ring_ = nullptr;
    Function to_js_;
    Napi::FunctionReference on_records_;
    Napi::FunctionReference on_error_;
    Napi::Reference<Napi::ArrayBuffer> arrays_[buffer_count];
    Napi::Reference<Napi::Uint8Array> views_[buffer_count];
    uint8_t* bytes_[buffer_count] = {};
    Napi::Env env_;
    bool hooked_ = false;

    std::thread thread_;
    int wake_fd_ = -1;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> paused_{false};
    std::atomic<double> sockets_{0};
    bool closed_ = false;

    std::mutex mutex_;  // of what follows
    std::condition_variable buffer_free_;
    bool busy_[buffer_count] = {};
    std::deque<Command> commands_;

    int current_ = -1;  // the thread's own: the buffer being filled
    size_t filled_ = 0;
};

}  // namespace netvitals_native
