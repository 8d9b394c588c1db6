// SPDX-License-Identifier: Apache-2.0
// The connection tracking that JavaScript asks: the thread that does, and the way of its answers into JavaScript, a batch
// a call.
#pragma once

#include <napi.h>

#include "asker.h"
#include "thread_owner.h"

namespace netvitals_native {

class Conntrack : public ThreadOwner<Conntrack, Asker> {
public:
    static Napi::Function define(Napi::Env env);
    explicit Conntrack(const Napi::CallbackInfo& info);

private:
    Napi::Value open(const Napi::CallbackInfo& info);
    Napi::Value release(const Napi::CallbackInfo& info);
    Napi::Value lookup(const Napi::CallbackInfo& info);
    Napi::Value close(const Napi::CallbackInfo& info);

    void deliver(napi_env env, const Message& message) override;
};

}  // namespace netvitals_native
