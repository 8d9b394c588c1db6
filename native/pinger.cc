// SPDX-License-Identifier: Apache-2.0
#include "pinger.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <limits>

#include "coded_error.h"

namespace netvitals_native {
namespace {

constexpr int64_t ms = 1'000'000;
constexpr int64_t never = std::numeric_limits<int64_t>::max();
// Room for the replies of some thousands of targets that answer at once; the default holds about 256.
constexpr int receive_bytes = 4 << 20;
// After a pause of the process what is overdue goes out one by one too.
constexpr int64_t least_gap_ns = 50'000;
constexpr int64_t flush_after_ns = 20 * ms;
constexpr size_t flush_at_results = 512;
// How long a probe that ended is remembered.
constexpr int64_t remember_ns = 5'000 * ms;
// A send that takes longer was not one: the process was stopped, or its CPU taken away, between stamp and packet.
constexpr int64_t send_max_ns = 5 * ms;
// The realtime clock may be slewed by 500 parts in a million (adjtimex(2)); what is beyond it stepped.
constexpr int64_t slew_min_ns = 500'000;
constexpr int64_t slew_divisor = 1'000;
constexpr uint64_t wake_token = ~0ull;
constexpr uint64_t timer_token = wake_token - 1;

int64_t clock_ns(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1'000 * ms + now.tv_nsec;
}

void set(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof(value)); }

// The packet was made, and counted by the kernel, before these refused it; routing refuses before.
bool was_counted(int error) { return error == 0 || error == EPERM || error == ENOBUFS; }

}  // namespace

Pinger::Pinger() {
    uint16_t id = 0;
    while (id == 0)
        if (getrandom(&id, sizeof(id), 0) != sizeof(id)) throw CodedError("ERR_PROBER", "getrandom() failed");
    id_ = id;
    own_netns_ = Fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    wake_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    epoll_event wake{EPOLLIN, {.u64 = wake_token}}, timer{EPOLLIN, {.u64 = timer_token}};
    if (!own_netns_ || !wake_ || !timer_ || !epoll_ || epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &wake) ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &timer))
        throw CodedError("ERR_PROBER", std::string("descriptors of the probing thread: ") + strerror(errno));
    packet_.resize(echo_header_bytes + echo_payload_max);
}

Pinger::~Pinger() {
    stopping_ = true;
    const uint64_t one = 1;
    if (write(wake_.get(), &one, sizeof(one)) < 0) {
        // Full: it is awake already.
    }
    if (thread_.joinable()) thread_.join();
}

void Pinger::begin(Deliver deliver) {
    deliver_ = std::move(deliver);
    thread_ = std::thread([this] { run(); });
}

void Pinger::push(Command command) {
    {
        std::lock_guard lock(mutex_);
        if (command.kind == Command::schedule) command.now_ns = static_cast<uint64_t>(clock_ns(CLOCK_MONOTONIC));
        commands_.push_back(std::move(command));
    }
    const uint64_t one = 1;
    if (write(wake_.get(), &one, sizeof(one)) < 0) {
        // Full: it is awake already.
    }
}

void Pinger::run() {
    while (!stopping_) {
        round_++;
        wait();
        take_commands();
        expire();
        send_due();
        flush(false);
    }
}

int64_t Pinger::next_wake() const {
    int64_t at = results_.empty() ? never : flush_at_ns_;
    if (!due_.empty()) at = std::min(at, std::max(due_.top().at_ns, last_send_ns_ + least_gap_ns));
    if (!deadlines_.empty()) at = std::min(at, deadlines_.top().at_ns);
    return at;
}

// Sleeps until something is due or readable, and reads it: before anything is judged to be late.
void Pinger::wait() {
    const int64_t at = next_wake();
    if (at != armed_ns_) {
        armed_ns_ = at;
        itimerspec when{};
        if (at != never) when.it_value = {at / (1'000 * ms), std::max<int64_t>(at % (1'000 * ms), 1)};
        timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    }
    epoll_event events[64];
    const int count = epoll_wait(epoll_.get(), events, 64, -1);
    for (int i = 0; i < count; i++) {
        const uint64_t token = events[i].data.u64;
        uint64_t ignored;
        if (token == wake_token || token == timer_token) {
            if (token == timer_token) armed_ns_ = 0;
            if (read(token == wake_token ? wake_.get() : timer_.get(), &ignored, sizeof(ignored)) < 0) continue;
            continue;
        }
        auto netns = namespaces_.find(static_cast<uint32_t>(token >> 1));
        if (netns == namespaces_.end()) continue;
        drain(&netns->second.sockets[token & 1], netns->second.echo.timeout_ms);
    }
}

void Pinger::take_commands() {
    std::deque<Command> commands;
    {
        std::lock_guard lock(mutex_);
        commands.swap(commands_);
    }
    for (Command& command : commands) {
        if (command.kind == Command::open) {
            open(command);
        } else if (command.kind == Command::release) {
            release(command.netns);
        } else {
            for (const ProbeRequest& request : command.requests)
                due_.push({static_cast<int64_t>(command.now_ns) + request.delay_us * 1'000ll, request});
        }
    }
}

void Pinger::open(Command& command) {
    auto message = std::make_unique<Message>();
    message->opened = command.netns;
    // Its own namespace needs no permission, unless a way back failed before.
    const int target = command.fd ? command.fd.get() : away_ ? own_netns_.get() : -1;
    if (target >= 0 && setns(target, CLONE_NEWNET) != 0) {
        message->code = errno == EPERM ? "ERR_SETNS_PERMISSION" : "ERR_SETNS";
        message->error = std::string("setns(): ") + strerror(errno);
        return deliver_(std::move(message));
    }
    Netns& netns = namespaces_[command.netns];
    netns.echo = command.echo;
    netns.sent = std::move(command.sent);
    for (int v6 = 0; v6 < 2; v6++) {
        open_socket(&netns.sockets[v6], v6 ? 6 : 4, netns.echo);
        watch(command.netns, netns.sockets[v6], v6);
    }
    away_ = target >= 0 && command.fd && setns(own_netns_.get(), CLONE_NEWNET) != 0;
    deliver_(std::move(message));
}

// One that cannot be had is what becomes of each probe that needs it.
void Pinger::open_socket(Socket* socket, uint8_t family, const Echo& echo) {
    socket->family = family;
    const bool v4 = family == 4;
    const int domain = v4 ? AF_INET : AF_INET6;
    const int protocol = v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6};
    Fd fd(::socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!fd) {
        socket->error = errno;
        return;
    }
    if ((socket->error = attach_filter(fd.get(), family, id_)) != 0) return;
    // What came before the filter stood is read and dropped as foreign to it: nothing, but for a flood.
    uint8_t byte;
    while (recv(fd.get(), &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0) continue;
    set(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)) != 0)
        set(fd.get(), SOL_SOCKET, SO_RCVBUF, receive_bytes);
    if (v4) {
        set(fd.get(), IPPROTO_IP, IP_TTL, echo.ttl);
        set(fd.get(), IPPROTO_IP, IP_TOS, echo.dscp << 2);
    } else {
        set(fd.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, echo.ttl);
        set(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, echo.dscp << 2);
    }
    socket->fd = std::move(fd);
}

void Pinger::watch(uint32_t netns, const Socket& socket, bool v6) {
    if (!socket.fd) return;
    epoll_event event{EPOLLIN, {.u64 = static_cast<uint64_t>(netns) << 1 | v6}};
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket.fd.get(), &event);
}

void Pinger::release(uint32_t handle) {
    auto netns = namespaces_.find(handle);
    if (netns == namespaces_.end()) return;
    for (const Socket& socket : netns->second.sockets)
        for (const auto& [sequence, flight] : socket.flights)
            if (!flight.ended) end(flight.target, cancelled);
    // What is still to be sent ends when it is due: its namespace is not found.
    namespaces_.erase(netns);
}

void Pinger::drain(Socket* socket, uint32_t timeout_ms) {
    constexpr unsigned batch = 32;
    constexpr size_t bytes = 256;
    if (!socket->fd) return;
    socket->drained_in = round_;
    for (;;) {
        uint8_t packets[batch][bytes];
        alignas(cmsghdr) uint8_t controls[batch][CMSG_SPACE(sizeof(timespec))];
        iovec parts[batch];
        mmsghdr messages[batch] = {};
        for (unsigned i = 0; i < batch; i++) {
            parts[i] = {packets[i], bytes};
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_control = controls[i];
            messages[i].msg_hdr.msg_controllen = sizeof(controls[i]);
        }
        const int count = recvmmsg(socket->fd.get(), messages, batch, MSG_DONTWAIT, nullptr);
        if (count <= 0) return;
        const int64_t now_ns = clock_ns(CLOCK_REALTIME), monotonic_ns = clock_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < count; i++) {
            // The first packets after stamps were turned on may come without one.
            int64_t at_ns = now_ns;
            msghdr& header = messages[i].msg_hdr;
            for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
                if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
                timespec stamp;
                memcpy(&stamp, CMSG_DATA(control), sizeof(stamp));
                at_ns = stamp.tv_sec * 1'000 * ms + stamp.tv_nsec;
            }
            const size_t length = std::min<size_t>(messages[i].msg_len, bytes);
            arrived(socket, timeout_ms, read_arrival(socket->family, id_, packets[i], length), at_ns, now_ns, monotonic_ns);
        }
        if (count < static_cast<int>(batch)) return;
    }
}

void Pinger::arrived(Socket* socket, uint32_t timeout_ms, const Arrival& arrival, int64_t at_ns, int64_t now_ns,
                     int64_t monotonic_ns) {
    auto found = socket->flights.find(arrival.sequence);
    const bool ours = arrival.kind != Arrival::foreign && found != socket->flights.end() &&
                      (arrival.has_nonce ? found->second.nonce == arrival.nonce
                                         : memcmp(found->second.address, arrival.destination, 16) == 0);
    if (!ours) {
        counters_.foreign++;
        return;
    }
    Flight& flight = found->second;
    if (flight.ended) {
        (flight.answered ? counters_.duplicate : counters_.late)++;
        return;
    }
    if (arrival.kind == Arrival::error) {
        flight.ended = flight.answered = true;
        return end(flight.target, unreachable, -1, 0, arrival.type, arrival.code);
    }
    // Both clocks ran on by the same, unless one of them was set.
    const int64_t elapsed_ns = monotonic_ns - flight.sent_monotonic_ns;
    const int64_t step_ns = (now_ns - flight.sent_realtime_ns) - elapsed_ns;
    const bool stepped = std::abs(step_ns) > slew_min_ns + elapsed_ns / slew_divisor;
    const int64_t rtt_ns = at_ns - flight.sent_realtime_ns;
    if (!stepped && rtt_ns > static_cast<int64_t>(timeout_ms) * ms) {
        // The deadline is about to end it as a timeout.
        counters_.late++;
        flight.ended = true;
        return end(flight.target, timeout);
    }
    flight.ended = flight.answered = true;
    if (stepped) counters_.clock_steps++;
    const bool discarded = stepped || flight.slow_send || rtt_ns < 0;
    end(flight.target, reply, discarded ? -1 : static_cast<double>(rtt_ns) / 1e9);
}

void Pinger::expire() {
    while (!deadlines_.empty()) {
        const Deadline deadline = deadlines_.top();
        const int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        if (deadline.at_ns > now_ns) return;
        auto netns = namespaces_.find(deadline.netns);
        Socket* socket = netns == namespaces_.end() ? nullptr : &netns->second.sockets[deadline.v6];
        // Its reply may lie there already, with its stamp: this thread may be late, not the reply.
        if (socket != nullptr && socket->drained_in != round_) drain(socket, netns->second.echo.timeout_ms);
        deadlines_.pop();
        if (socket == nullptr) continue;
        auto flight = socket->flights.find(deadline.sequence);
        if (flight == socket->flights.end() || flight->second.nonce != deadline.nonce) continue;
        if (flight->second.ended) {
            socket->flights.erase(flight);
            continue;
        }
        flight->second.ended = true;
        end(flight->second.target, timeout);
        deadlines_.push({now_ns + remember_ns, deadline.netns, deadline.sequence, deadline.v6, deadline.nonce});
    }
}

void Pinger::send_due() {
    while (!due_.empty()) {
        const int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
        if (std::max(due_.top().at_ns, last_send_ns_ + least_gap_ns) > now_ns) return;
        const ProbeRequest request = due_.top().request;
        due_.pop();
        auto netns = namespaces_.find(request.netns);
        if (netns == namespaces_.end()) {
            end(request.target, cancelled);
            continue;
        }
        last_send_ns_ = now_ns;
        const bool v6 = request.family == 6;
        const int error = send(&netns->second, &netns->second.sockets[v6], request);
        if (error != 0) end(request.target, failed, -1, error);
    }
}

// Sockets are not connected and ask for no errors (IP_RECVERR), so what a packet before met is never told by this send.
int Pinger::send(Netns* netns, Socket* socket, const ProbeRequest& request) {
    if (!socket->fd) return socket->error;
    if (socket->flights.size() >= 0xffff) return ENOBUFS;
    do socket->sequence++;
    while (socket->flights.contains(socket->sequence));

    EchoRequest echo{id_, socket->sequence, random(), netns->echo.payload_bytes};
    const size_t length = write_echo(socket->family, echo, packet_.data());
    sockaddr_storage to{};
    socklen_t to_length;
    if (socket->family == 4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&to);
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, request.address, 4);
        to_length = sizeof(*v4);
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&to);
        v6->sin6_family = AF_INET6;
        v6->sin6_scope_id = request.zone;
        memcpy(&v6->sin6_addr, request.address, 16);
        to_length = sizeof(*v6);
    }
    Flight flight{request.target, echo.nonce, 0, 0, false, false, false, {}};
    memcpy(flight.address, request.address, socket->family == 4 ? 4 : 16);
    flight.sent_monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    flight.sent_realtime_ns = clock_ns(CLOCK_REALTIME);
    const ssize_t sent = sendto(socket->fd.get(), packet_.data(), length, MSG_DONTWAIT | MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&to), to_length);
    const int error = sent < 0 ? errno == EAGAIN ? ENOBUFS : errno : 0;
    if (was_counted(error)) netns->sent->packets++;
    if (error != 0) return error;
    const int64_t after_ns = clock_ns(CLOCK_MONOTONIC);
    flight.slow_send = after_ns - flight.sent_monotonic_ns > send_max_ns;
    socket->flights.emplace(echo.sequence, flight);
    deadlines_.push({flight.sent_monotonic_ns + netns->echo.timeout_ms * ms, request.netns, echo.sequence,
                     socket->family == 6, echo.nonce});
    return 0;
}

void Pinger::end(uint32_t target, Outcome outcome, double rtt_seconds, int error, uint8_t type, uint8_t code) {
    if (results_.empty()) flush_at_ns_ = clock_ns(CLOCK_MONOTONIC) + flush_after_ns;
    const double rtt = rtt_seconds < 0 ? std::numeric_limits<double>::quiet_NaN() : rtt_seconds;
    results_.push_back({rtt, target, error, outcome, type, code, {}});
    if (results_.size() >= flush_at_results) flush(true);
}

void Pinger::flush(bool now) {
    if (results_.empty() || (!now && clock_ns(CLOCK_MONOTONIC) < flush_at_ns_)) return;
    auto message = std::make_unique<Message>();
    message->results.swap(results_);
    deliver_(std::move(message));
}

uint64_t Pinger::random() {
    if (entropy_.empty()) {
        // Up to 256 bytes are given whole (getrandom(2)).
        entropy_.resize(32);
        while (getrandom(entropy_.data(), entropy_.size() * sizeof(uint64_t), 0) < 0) continue;
    }
    const uint64_t value = entropy_.back();
    entropy_.pop_back();
    return value;
}

}  // namespace netvitals_native
