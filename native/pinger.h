// SPDX-License-Identifier: Apache-2.0
// The thread that pings. It owns every ICMP socket, one for each network namespace and family, sends what is due,
// each packet stamped right before its own send, and gives each probe exactly one outcome. It knows nothing of JavaScript.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "fd.h"
#include "icmp.h"

namespace netvitals_native {

// As JavaScript writes them: ProbeRequestLayout, ProbeResultLayout of kernel/native.ts.
struct ProbeRequest {
    uint32_t netns;
    uint32_t target;
    uint32_t delay_us;
    uint32_t zone;
    uint8_t family;
    uint8_t reserved[3];
    uint8_t address[16];
};
static_assert(sizeof(ProbeRequest) == 36);

struct ProbeResult {
    double rtt_seconds;
    uint32_t target;
    int32_t error;
    uint8_t outcome;
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint8_t reserved[5];
};
static_assert(sizeof(ProbeResult) == 24);

class Pinger {
public:
    enum Outcome : uint8_t { reply = 1, timeout = 2, unreachable = 3, failed = 4, cancelled = 5 };

    struct Echo {
        uint32_t payload_bytes;
        int ttl;
        int dscp;
        uint32_t timeout_ms;
    };
    // Of a namespace, shared with whoever reads them.
    struct Sent {
        std::atomic<uint64_t> packets{0};
    };
    struct Command {
        enum Kind { open, release, schedule } kind;
        uint32_t netns = 0;
        Fd fd;  // open: none is the process' own
        Echo echo{};
        std::shared_ptr<Sent> sent;
        std::vector<ProbeRequest> requests;
        uint64_t now_ns = 0;  // schedule: what delays count from
    };
    // Results, or (opened > 0) the end of an open; an empty code is success.
    struct Message {
        std::vector<ProbeResult> results;
        uint32_t opened = 0;
        std::string code, error;
    };
    using Deliver = std::function<void(std::unique_ptr<Message>)>;
    struct Counters {
        std::atomic<uint64_t> late{0}, duplicate{0}, foreign{0}, clock_steps{0};
    };

    Pinger();  // throws CodedError
    ~Pinger();
    Pinger(const Pinger&) = delete;
    Pinger& operator=(const Pinger&) = delete;

    // `deliver` is called on the thread.
    void begin(Deliver deliver);
    void push(Command command);
    const Counters& counters() const { return counters_; }

private:
    // A probe on its way, and for a while after its end: what then comes is late, or a duplicate.
    struct Flight {
        uint32_t target;
        uint64_t nonce;
        int64_t sent_realtime_ns;
        int64_t sent_monotonic_ns;
        bool ended;
        bool answered;
        bool slow_send;
        uint8_t address[16];
    };
    struct Socket {
        Fd fd;
        int error = 0;  // why there is none
        uint8_t family;
        uint16_t sequence = 0;
        std::unordered_map<uint16_t, Flight> flights;
        uint64_t drained_in = 0;  // number of the last round of the loop that emptied it
    };
    struct Netns {
        Echo echo;
        std::shared_ptr<Sent> sent;
        Socket sockets[2];  // IPv4, IPv6
    };
    struct Due {
        int64_t at_ns;
        ProbeRequest request;
        bool operator>(const Due& other) const { return at_ns > other.at_ns; }
    };
    struct Deadline {
        int64_t at_ns;
        uint32_t netns;
        uint16_t sequence;
        bool v6;
        uint64_t nonce;
        bool operator>(const Deadline& other) const { return at_ns > other.at_ns; }
    };
    template <typename T>
    using Earliest = std::priority_queue<T, std::vector<T>, std::greater<T>>;

    void run();
    void take_commands();
    void open(Command& command);
    void open_socket(Socket* socket, uint8_t family, const Echo& echo);
    void watch(uint32_t netns, const Socket& socket, bool v6);
    void release(uint32_t netns);
    void wait();
    int64_t next_wake() const;
    void drain(Socket* socket, uint32_t timeout_ms);
    void arrived(Socket* socket, uint32_t timeout_ms, const Arrival& arrival, int64_t at_ns, int64_t now_ns,
                 int64_t monotonic_ns);
    void expire();
    void send_due();
    int send(Netns* netns, Socket* socket, const ProbeRequest& request);
    void end(uint32_t target, Outcome outcome, double rtt_seconds = -1, int error = 0, uint8_t type = 0, uint8_t code = 0);
    void flush(bool now);
    uint64_t random();

    Deliver deliver_;
    Counters counters_;
    uint16_t id_;
    Fd wake_, timer_, epoll_, own_netns_;
    bool away_ = false;
    std::atomic<bool> stopping_{false};
    std::mutex mutex_;
    std::deque<Command> commands_;

    std::unordered_map<uint32_t, Netns> namespaces_;  // from here on the thread's own
    Earliest<Due> due_;
    Earliest<Deadline> deadlines_;
    std::vector<ProbeResult> results_;
    int64_t flush_at_ns_ = 0;
    int64_t last_send_ns_ = 0;
    int64_t armed_ns_ = 0;
    uint64_t round_ = 0;
    std::vector<uint64_t> entropy_;
    std::vector<uint8_t> packet_;
    std::thread thread_;
};

}  // namespace netvitals_native
