// SPDX-License-Identifier: Apache-2.0
// The thread that asks connection tracking, with one socket for each namespace, because a lookup is a system call and
// thousands a second are no work for the event loop. It knows nothing of JavaScript.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ctnetlink.h"
#include "ending.h"
#include "fd.h"
#include "netns.h"

namespace netvitals_native {

// As JavaScript writes them: ConntrackRequestLayout, ConntrackAnswerLayout of kernel/native.ts.
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

class Asker {
public:
    struct Command {
        enum Kind { open, release, lookup } kind;
        uint32_t id = 0;  // open, release: of the namespace
        Fd netns = Fd();  // open: none is the process' own
        std::vector<ConntrackRequest> requests = {};
    };
    // Answers, or the end of an open.
    struct Message {
        std::vector<ConntrackAnswer> answers;
        Ending ending;
    };
    using Deliver = std::function<void(std::unique_ptr<Message>)>;

    Asker();  // throws CodedError
    ~Asker();
    Asker(const Asker&) = delete;
    Asker& operator=(const Asker&) = delete;

    // Before the first push. `deliver` is called on the thread.
    void begin(Deliver deliver) { deliver_ = std::move(deliver); }
    // The first one starts the thread. Throws CodedError where there is none left to start.
    void push(Command command);

private:
    void run();
    bool next_command(Command* command);
    void open(const Command& command, Message* message);
    void answer_all(const std::vector<ConntrackRequest>& requests, Message* message);
    ConntrackAnswer answer(const ConntrackRequest& request);

    Deliver deliver_;
    std::mutex mutex_;  // of the commands
    std::condition_variable changed_;
    std::deque<Command> commands_;
    std::atomic<bool> stopping_{false};

    NetnsVisits visits_;  // from here on the thread's own
    std::unordered_map<uint32_t, CtSocket> sockets_;

    std::thread thread_;
};

}  // namespace netvitals_native
