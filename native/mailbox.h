// SPDX-License-Identifier: Apache-2.0
// Between a thread and who owns it: when to begin, what to do, when to end; and back, what is told of it. Waking is by a
// descriptor, because the thread waits for others too.
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "fd.h"

namespace netvitals_native {

template <typename Command, typename Message>
class Mailbox {
public:
    using Deliver = std::function<void(std::unique_ptr<Message>)>;

    // False: there was no descriptor, as errno says.
    explicit operator bool() const { return static_cast<bool>(wake_); }

    // The owner's side.

    // `deliver` is called on the thread.
    void begin(Deliver deliver) {
        {
            std::lock_guard lock(mutex_);
            deliver_ = std::move(deliver);
        }
        begun_.notify_one();
    }

    void push(Command command) {
        {
            std::lock_guard lock(mutex_);
            commands_.push_back(std::move(command));
        }
        wake();
    }

    void end() {
        {
            std::lock_guard lock(mutex_);
            ending_ = true;
        }
        begun_.notify_one();
        wake();
    }

    void wake() const { eventfd_write(wake_.get(), 1); }

    // The thread's side.

    // Or for the end, where that comes first.
    void wait_for_begin() {
        std::unique_lock lock(mutex_);
        begun_.wait(lock, [this] { return deliver_ || ending_; });
    }

    bool ending() const { return ending_; }

    // Readable once it was woken, until that is taken.
    int wake_fd() const { return wake_.get(); }

    void take_wake() const {
        eventfd_t ignored;
        eventfd_read(wake_.get(), &ignored);
    }

    // False: there is none, or it is to end.
    bool next(Command* command) {
        std::lock_guard lock(mutex_);
        if (commands_.empty() || ending_) return false;
        *command = std::move(commands_.front());
        commands_.pop_front();
        return true;
    }

    void deliver(std::unique_ptr<Message> message) const { deliver_(std::move(message)); }

private:
    Fd wake_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::atomic<bool> ending_{false};
    std::mutex mutex_;  // of what follows; `deliver_` is the same once it began
    std::condition_variable begun_;
    std::deque<Command> commands_;
    Deliver deliver_;
};

}  // namespace netvitals_native
