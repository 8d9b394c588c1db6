// SPDX-License-Identifier: Apache-2.0
// The connection tracking that JavaScript asks: a thread with one socket for each namespace, because a lookup is a
// system call and thousands a second are no work for the event loop.
#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "ctnetlink.h"
#include "fd.h"
#include "netns.h"

namespace netvitals_native {

struct ConntrackRequest {
    uint32_t token;
    uint32_t first;   // namespace to ask
    uint32_t second;  // the one to ask when that does not know the connection; 0: none
    uint16_t source_port;
    uint16_t destination_port;
    uint8_t family;
    uint8_t reserved[3];
    uint8_t source[16];
    uint8_t destination[16];
};
static_assert(sizeof(ConntrackRequest) == 52);

struct ConntrackAnswer {
    uint32_t token;
    int32_t error;  // 0: known; ENOENT: nobody knows it; else why it could not be asked
    uint16_t port;
    uint8_t reserved[2];
    uint8_t address[16];
};
static_assert(sizeof(ConntrackAnswer) == 28);

class Conntrack : public Napi::ObjectWrap<Conntrack> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Conntrack(const Napi::CallbackInfo& info);
    ~Conntrack() override;

private:
    struct Command {
        enum Kind { open, release, lookup } kind;
        uint32_t handle = 0;
        Fd netns;
        std::vector<ConntrackRequest> requests;
    };
    struct Message {
        std::vector<ConntrackAnswer> answers;
        uint32_t opened = 0;  // a handle, or 0: these are answers
        std::string code, error;
    };

    Napi::Value open(const Napi::CallbackInfo& info);
    Napi::Value release(const Napi::CallbackInfo& info);
    Napi::Value lookup(const Napi::CallbackInfo& info);
    Napi::Value close(const Napi::CallbackInfo& info);

    void check_open(Napi::Env env, const char* method) const;
    void push(Napi::Env env, Command command);
    void stop();
    static void on_env_end(void* self);
    static void deliver(Napi::Env env, Napi::Function callback, Conntrack* self, Message* message);
    void settle(napi_env env, const Message& message);

    // On the thread.
    void run();
    void enter(const Command& command, Message* message);
    void answer_all(const std::vector<ConntrackRequest>& requests, Message* message);
    ConntrackAnswer answer(const ConntrackRequest& request);

    using Function = Napi::TypedThreadSafeFunction<Conntrack, Message, deliver>;

    const Napi::Env env_;
    Napi::FunctionReference on_answers_;
    Napi::FunctionReference on_error_;
    std::map<uint32_t, napi_deferred> pending_;
    uint32_t last_handle_ = 0;
    bool hooked_ = false;
    bool open_ = false;
    Function to_js_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Command> commands_;
    std::atomic<bool> stopping_ = false;
    std::unordered_map<uint32_t, CtSocket> sockets_;  // the thread's own
    std::optional<NetnsVisits> visits_{std::in_place};
    std::thread thread_;
};

}  // namespace netvitals_native
