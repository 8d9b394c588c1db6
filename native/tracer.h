// SPDX-License-Identifier: Apache-2.0
// The tracer that JavaScript holds: the programs, the thread that reads them, and the way of their records into
// JavaScript, one call a batch.
#pragma once

#include <napi.h>

#include <map>
#include <memory>

#include "programs.h"
#include "reader.h"

namespace netvitals_native {

class Tracer : public Napi::ObjectWrap<Tracer> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Tracer(const Napi::CallbackInfo& info);
    ~Tracer() override;

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

    void check_open(Napi::Env env, const char* method) const;
    Napi::Value command(Napi::Env env, Reader::Command command);
    void stop();
    static void on_env_end(void* self);
    static void deliver(Napi::Env env, Napi::Function callback, Tracer* self, Reader::Message* message);
    void deliver_records(napi_env env, const Reader::Message& message);
    void settle(napi_env env, const Reader::Message& message);

    using Function = Napi::TypedThreadSafeFunction<Tracer, Reader::Message, deliver>;

    const Napi::Env env_;
    Napi::FunctionReference on_records_;
    Napi::FunctionReference on_error_;
    Napi::Reference<Napi::Uint8Array> views_[Reader::buffer_count];
    uint8_t* bytes_[Reader::buffer_count] = {};
    std::map<uint32_t, napi_deferred> pending_;
    uint32_t last_command_ = 0;
    bool hooked_ = false;

    std::unique_ptr<Programs> programs_;  // both gone: closed
    std::unique_ptr<Reader> reader_;
    Function to_js_;
};

}  // namespace netvitals_native
