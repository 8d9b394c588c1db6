// SPDX-License-Identifier: Apache-2.0
// The thread that pings. It owns every ICMP socket, one for each network namespace and family, sends what is due,
// each packet stamped right before its own send, and gives each probe exactly one outcome. It knows nothing of JavaScript.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "echo_socket.h"
#include "ending.h"
#include "entropy.h"
#include "fd.h"
#include "flights.h"
#include "mailbox.h"
#include "netns.h"
#include "probe.h"
#include "probe_schedule.h"
#include "result_batch.h"

namespace netvitals_native {

class Pinger {
public:
    enum Outcome : uint8_t { reply = 1, timeout = 2, unreachable = 3, failed = 4, cancelled = 5 };

    // Of a namespace, shared with whoever reads them.
    struct Sent {
        std::atomic<uint64_t> packets{0};
    };
    struct Command {
        enum Kind { open, release, schedule } kind;
        uint32_t id = 0;  // open, release: of the namespace
        Fd fd;  // open: none is the process' own
        EchoOptions echo{};
        std::shared_ptr<Sent> sent;
        std::vector<ProbeRequest> requests;
        int64_t pushed_ns = 0;  // what delays count from
    };
    // Results, or the end of an open.
    struct Message {
        std::vector<ProbeResult> results;
        Ending ending;
    };
    struct Counters {
        std::atomic<uint64_t> late{0}, duplicate{0}, foreign{0}, clock_steps{0};
    };

    Pinger();  // throws CodedError
    ~Pinger();
    Pinger(const Pinger&) = delete;
    Pinger& operator=(const Pinger&) = delete;

    // Nothing happens before. `deliver` is called on the thread.
    void begin(Mailbox<Command, Message>::Deliver deliver) { mailbox_.begin(std::move(deliver)); }
    void push(Command command);
    const Counters& counters() const { return counters_; }

private:
    // What a namespace has of a family.
    struct Path {
        EchoSocket socket;
        Flights flights;
        int64_t timeout_ns;
        int64_t deadline_ns = 0;  // its entry in deadlines_; 0: none
    };
    struct Netns {
        Fd fd;  // none: the process' own
        EchoOptions echo;
        std::shared_ptr<Sent> sent;
        Path v4, v6;
    };

    void run();
    void wait();
    int64_t next_wake_ns() const;
    void take_commands();
    void open(Command* command);
    void release(uint32_t handle);
    void cancel(Path* path);
    void read_arrivals();
    bool drain(Path* path);
    void judge(Path* path, const Arrival& arrival, int64_t stamp_ns, const Moment& now);
    void expire();
    void set_deadline(Path* path, int64_t at_ns);
    void send_due();
    void send(const ProbeRequest& request);
    int send(Netns* netns, Path* path, const ProbeRequest& request);
    int open_socket(const Netns& netns, Path* path);
    void end(uint32_t target, Outcome outcome, double rtt_seconds, int error = 0, uint8_t type = 0, uint8_t code = 0);
    void flush();

    Counters counters_;
    Entropy entropy_;
    uint16_t id_;
    NetnsVisits visits_;
    Fd epoll_;
    Mailbox<Command, Message> mailbox_;

    std::unordered_map<uint32_t, std::unique_ptr<Netns>> namespaces_;  // from here on the thread's own
    ProbeSchedule schedule_;
    std::set<std::pair<int64_t, Path*>> deadlines_;  // of the oldest flight of each path
    ResultBatch results_;
    Inbox inbox_;
    int64_t quiet_until_ns_ = 0;
    unsigned sent_unread_ = 0;
    uint8_t packet_[echo_header_bytes + echo_payload_max];

    std::thread thread_;
};

}  // namespace netvitals_native
