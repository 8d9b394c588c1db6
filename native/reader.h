// SPDX-License-Identifier: Apache-2.0
// The thread that drains the ring and runs the walks of the eBPF programs, which it owns. It knows nothing of
// JavaScript: whole records go, in order, into a few buffers, and each filled one to `deliver`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "end_joiner.h"
#include "ending.h"
#include "fd.h"
#include "mailbox.h"
#include "programs.h"
#include "ring.h"

namespace netvitals_native {

class Reader {
public:
    // Few, so a slow other side makes the thread wait and the ring fill, and nothing else.
    static constexpr size_t buffer_count = 3;
    static constexpr size_t buffer_bytes = 512 * 1024;

    struct Command {
        enum Kind { sample, snapshot, flush, holders } kind;
        uint32_t id;
        Fd netns = Fd();  // snapshot: none is the process' own
        std::vector<uint64_t> sockets = {};  // holders
    };
    // Records of a buffer, or (buffer < 0) the end of a command.
    struct Message {
        int buffer = -1;
        size_t length = 0;
        Ending ending;
    };

    // The buffers must outlive it. `joins`: whether ends are joined (NV_ENDS) where they may be. Throws CodedError.
    Reader(const ProgramSizes& sizes, uint8_t* const buffers[buffer_count], bool joins);
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // Nothing is read before. `deliver` is called on the thread.
    void begin(Mailbox<Command, Message>::Deliver deliver) { mailbox_.begin(std::move(deliver)); }
    void push(Command command) { mailbox_.push(std::move(command)); }
    void give_back(int buffer);
    void pause(bool paused);
    // Sockets that the last whole walk showed.
    double sockets() const { return sockets_; }
    const Programs& programs() const { return programs_; }

private:
    void run();
    void wait();
    bool wait_for(int ms);
    void run_command(const Command& command);
    double sample();
    double walk_deferred(int fd);
    double walk(int fd, const char* code);
    ssize_t read_walk(int fd, uint8_t* to, const char* code) const;
    double snapshot(int netns);
    double holders(const std::vector<uint64_t>& sockets);
    void enter(int netns, const char* what) const;
    void come_back();
    size_t drain();
    bool append(const Ring::Record& record);
    bool has_room(size_t bytes) const { return current_ < 0 || joiner_.limit() - filled_ >= bytes; }
    bool take_buffer();
    void send_buffer();

    const Programs programs_;
    uint8_t* const* buffers_;
    const size_t walk_bytes_;
    Fd epoll_;
    Mailbox<Command, Message> mailbox_;
    std::unique_ptr<Ring> ring_;
    std::atomic<bool> paused_{false};
    std::atomic<double> sockets_{0};

    std::mutex mutex_;  // of which buffers are on the other side
    std::condition_variable given_back_;
    bool busy_[buffer_count] = {};

    int current_ = -1;  // the buffer being filled; from here on the thread's own
    size_t filled_ = 0;
    const bool joins_;
    EndJoiner joiner_;
    std::vector<uint8_t> chunk_;
    Fd own_netns_;
    bool away_ = false;
    bool quiet_ = false;  // a whole wait brought no record

    std::thread thread_;
};

}  // namespace netvitals_native
