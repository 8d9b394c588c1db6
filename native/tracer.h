// SPDX-License-Identifier: Apache-2.0
// The tracer that JavaScript holds: the programs, the thread that reads them, and the way of their records into
// JavaScript, one call a batch.
#pragma once

#include <napi.h>

#include "reader.h"
#include "thread_owner.h"

namespace netvitals_native {

class Tracer : public ThreadOwner<Tracer, Reader> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Tracer(const Napi::CallbackInfo& info);
    // Before the buffers that the thread fills.
    ~Tracer() override { stop(); }

private:
    Napi::Value sample(const Napi::CallbackInfo& info);
    Napi::Value snapshot(const Napi::CallbackInfo& info);
    Napi::Value holders(const Napi::CallbackInfo& info);
    Napi::Value flush(const Napi::CallbackInfo& info);
    Napi::Value pause(const Napi::CallbackInfo& info);
    Napi::Value resume(const Napi::CallbackInfo& info);
    Napi::Value counters(const Napi::CallbackInfo& info);
    Napi::Value usage(const Napi::CallbackInfo& info);
    Napi::Value programs(const Napi::CallbackInfo& info);
    Napi::Value close(const Napi::CallbackInfo& info);

    void deliver(napi_env env, const Message& message) override;

    Napi::Reference<Napi::Uint8Array> views_[Reader::buffer_count];
    uint8_t* bytes_[Reader::buffer_count] = {};
};

}  // namespace netvitals_native
