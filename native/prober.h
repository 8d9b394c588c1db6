// SPDX-License-Identifier: Apache-2.0
// The prober that JavaScript holds: the thread that pings, and the way of its results into JavaScript, a batch a call.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <unordered_map>

#include "pinger.h"

namespace netvitals_native {

class Prober : public Napi::ObjectWrap<Prober> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Prober(const Napi::CallbackInfo& info);
    ~Prober() override;

private:
    Napi::Value open(const Napi::CallbackInfo& info);
    Napi::Value release(const Napi::CallbackInfo& info);
    Napi::Value schedule(const Napi::CallbackInfo& info);
    Napi::Value sent(const Napi::CallbackInfo& info);
    Napi::Value counters(const Napi::CallbackInfo& info);
    Napi::Value close(const Napi::CallbackInfo& info);

    void check_open(Napi::Env env, const char* method) const;
    void stop();
    static void on_env_end(void* self);
    static void deliver(Napi::Env env, Napi::Function callback, Prober* self, Pinger::Message* message);
    void deliver_results(napi_env env, const Pinger::Message& message);
    void settle(napi_env env, const Pinger::Message& message);

    using Function = Napi::TypedThreadSafeFunction<Prober, Pinger::Message, deliver>;

    const Napi::Env env_;
    Napi::FunctionReference on_results_;
    Napi::FunctionReference on_error_;
    Napi::Reference<Napi::Uint8Array> view_;
    size_t view_bytes_ = 0;
    uint8_t* bytes_ = nullptr;
    std::map<uint32_t, napi_deferred> pending_;
    std::unordered_map<uint32_t, std::shared_ptr<Pinger::Sent>> sent_;
    uint32_t last_handle_ = 0;
    bool hooked_ = false;
    std::unique_ptr<Pinger> pinger_;  // gone: closed
    Function to_js_;
};

}  // namespace netvitals_native
