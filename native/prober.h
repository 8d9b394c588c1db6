// SPDX-License-Identifier: Apache-2.0
// The prober that JavaScript holds: the thread that pings, and the way of its results into JavaScript, a batch a call.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "pinger.h"
#include "thread_owner.h"

namespace netvitals_native {

class Prober : public ThreadOwner<Prober, Pinger> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Prober(const Napi::CallbackInfo& info);

private:
    Napi::Value open(const Napi::CallbackInfo& info);
    Napi::Value release(const Napi::CallbackInfo& info);
    Napi::Value schedule(const Napi::CallbackInfo& info);
    Napi::Value sent(const Napi::CallbackInfo& info);
    Napi::Value counters(const Napi::CallbackInfo& info);
    Napi::Value close(const Napi::CallbackInfo& info);

    void deliver(napi_env env, const Message& message) override;
    void deliver_results(napi_env env, const std::vector<ProbeResult>& results);

    Napi::Reference<Napi::Uint8Array> view_;
    size_t view_bytes_ = 0;
    uint8_t* bytes_ = nullptr;
    std::unordered_map<uint32_t, std::shared_ptr<Pinger::Sent>> sent_;
};

}  // namespace netvitals_native
