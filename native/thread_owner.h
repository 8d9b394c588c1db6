// SPDX-License-Identifier: Apache-2.0
// The life of an object that JavaScript holds and that owns a thread. It stays while the thread may call; the thread
// ends once: by close(), with the environment, or with the object. Of the thread it needs: `Command` and `Message`;
// begin(deliver), before which it tells nothing; push(command); a destructor that waits for it.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "callbacks.h"
#include "coded_error.h"
#include "ending.h"
#include "promises.h"
#include "values.h"

namespace netvitals_native {

template <typename Self, typename Thread>
class ThreadOwner : public Napi::ObjectWrap<Self> {
public:
    ~ThreadOwner() override { stop(); }

protected:
    using Command = typename Thread::Command;
    using Message = typename Thread::Message;

    // What use after close is answered with: the error's code, and the object as its message calls it.
    struct Closed {
        const char* code;
        const char* what;
    };

    ThreadOwner(const Napi::CallbackInfo& info, Closed closed)
        : Napi::ObjectWrap<Self>(info), env_(info.Env()), closed_(closed) {}

    // At the end of the constructor. `args`: of the thread's.
    template <typename... Args>
    void start(const char* name, Callbacks callbacks, Args&&... args) {
        std::unique_ptr<Thread> thread;
        try {
            thread = std::make_unique<Thread>(std::forward<Args>(args)...);
        } catch (const CodedError& error) {
            throw coded(env_, error.code, error.what());
        }
        callbacks_ = std::move(callbacks);
        // Unbounded: what was asked, and the buffers that records come in, bound it.
        to_js_ = Function::New(env_, name, 0, 1, this, on_released, static_cast<void*>(nullptr));
        thread_ = std::move(thread);
        this->Ref();
        // After the function's own hook, so run before it.
        napi_add_env_cleanup_hook(env_, on_env_end, this);
        hooked_ = true;
        thread_->begin([this](std::unique_ptr<Message> message) {
            if (to_js_.NonBlockingCall(message.get()) == napi_ok) message.release();
        });
    }

    // An open one is no reason for its process to live on.
    void let_process_end() { to_js_.Unref(env_); }

    // Gone: closed.
    Thread* thread() const { return thread_.get(); }

    void check_open(const char* method) const {
        if (!thread_) throw coded(env_, closed_.code, std::string(method) + "(): " + closed_.what + " is closed");
    }

    // For what is asked; never 0.
    uint32_t next_id() { return ++last_id_; }

    void push(Command command) {
        try {
            thread_->push(std::move(command));
        } catch (const CodedError& error) {
            throw coded(env_, error.code, error.what());
        }
    }

    // A promise of what the command asks for: its id is the promise's, for settle().
    Napi::Value ask(Command command) {
        const uint32_t id = command.id;
        push(std::move(command));
        return promises_.add(env_, id);
    }

    void settle(napi_env env, const Ending& ending) { promises_.settle(env, ending); }

    void call_back(napi_env env, std::initializer_list<napi_value> args) const { callbacks_.call(env, args); }

    // On the JavaScript thread, while it is open.
    virtual void deliver(napi_env env, const Message& message) = 0;

    // The thread ends, and what it owns goes. Any number of times.
    void stop() {
        if (hooked_) {
            napi_remove_env_cleanup_hook(env_, on_env_end, this);
            hooked_ = false;
        }
        if (!thread_) return;
        thread_.reset();
        to_js_.Release();
    }

    // As stop(); what was asked and is not done yet is rejected.
    Napi::Value stop_and_reject() {
        stop();
        promises_.reject_all(env_, closed_.code, std::string(closed_.what) + " was closed before this was done");
        return env_.Undefined();
    }

private:
    static void on_env_end(void* self) {
        auto* owner = static_cast<ThreadOwner*>(self);
        owner->hooked_ = false;
        owner->stop();
    }

    static void on_released(Napi::Env, void*, ThreadOwner* self) {
        // What these close over mostly refers to this object: while they are held, neither goes.
        self->callbacks_.reset();
        self->Unref();
    }

    static void on_message(Napi::Env env, Napi::Function, ThreadOwner* self, Message* raw) {
        std::unique_ptr<Message> message(raw);
        if (env == nullptr || !self->thread_) return;  // closed, or the environment is going: nobody listens
        Napi::HandleScope scope(env);
        self->deliver(env, *message);
    }

    using Function = Napi::TypedThreadSafeFunction<ThreadOwner, Message, on_message>;

    const Napi::Env env_;
    const Closed closed_;
    Callbacks callbacks_;
    Promises promises_;
    uint32_t last_id_ = 0;
    bool hooked_ = false;
    std::unique_ptr<Thread> thread_;
    Function to_js_;
};

}  // namespace netvitals_native
