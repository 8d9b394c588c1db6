// SPDX-License-Identifier: Apache-2.0
#include "pinger.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string>
#include <system_error>

#include "coded_error.h"

namespace netvitals_native {
namespace {

constexpr double no_rtt = std::numeric_limits<double>::quiet_NaN();
// Replies carry the kernel's stamp, so nothing is lost by reading them by the handful.
constexpr int64_t quiet_ns = 20 * millisecond_ns;
// Sends between two looks at what came back.
constexpr unsigned sends_unread = 64;
// A send that takes longer was interrupted between stamp and packet, as far as one can tell.
constexpr int64_t send_max_ns = 5 * millisecond_ns;
// From the kernel's stamp until the packet lies in the socket.
constexpr int64_t delivery_ns = 1 * millisecond_ns;

// The kernel counts a packet when it is made (__ip_make_skb): before a firewall or an interface that is down refuse it,
// after routing did. (A full queueing discipline's ENOBUFS is not told to sockets without IP_RECVERR.)
bool was_counted(int error) { return error == 0 || error == EPERM || error == ENETDOWN; }

}  // namespace

Pinger::Pinger() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!visits_.knows_home())
        throw CodedError("ERR_PROBER", std::string("opening /proc/thread-self/ns/net: ") + strerror(errno));
    if (!epoll_ || !mailbox_)
        throw CodedError("ERR_PROBER", std::string("descriptors of the probing thread: ") + strerror(errno));
    do id_ = static_cast<uint16_t>(entropy_.next());
    while (id_ == 0);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        throw CodedError("ERR_PROBER", std::string("starting the probing thread: ") + error.what());
    }
}

Pinger::~Pinger() {
    mailbox_.end();
    thread_.join();
}

void Pinger::push(Command command) {
    command.pushed_ns = monotonic_ns();
    mailbox_.push(std::move(command));
}

void Pinger::run() {
    pthread_setname_np(pthread_self(), "netvitals-ping");
    mailbox_.wait_for_begin();
    while (!mailbox_.ending()) {
        wait();
        take_commands();
        read_arrivals();
        expire();
        send_due();
        flush();
    }
}

int64_t Pinger::next_wake_ns() const {
    const int64_t deadline_ns = deadlines_.empty() ? never_ns : deadlines_.begin()->first;
    return std::min({results_.due_ns(), schedule_.due_ns(), deadline_ns});
}

void Pinger::wait() {
    const int64_t now = monotonic_ns();
    const bool quiet = now < quiet_until_ns_;
    const int64_t at = quiet ? std::min(next_wake_ns(), quiet_until_ns_) : next_wake_ns();
    const int64_t left = std::max<int64_t>(at - now, 0);
    const timespec timeout = {left / second_ns, left % second_ns};
    pollfd fds[] = {{mailbox_.wake_fd(), POLLIN, 0}, {epoll_.get(), POLLIN, 0}};
    ppoll(fds, quiet ? 1 : 2, at == never_ns ? nullptr : &timeout, nullptr);
    if (fds[0].revents) mailbox_.take_wake();
}

void Pinger::take_commands() {
    for (Command command; mailbox_.next(&command);) {
        if (command.kind == Command::open) open(&command);
        if (command.kind == Command::release) release(command.id);
        if (command.kind == Command::schedule) schedule_.add(command.requests, command.pushed_ns);
    }
}

void Pinger::open(Command* command) {
    auto message = std::make_unique<Message>();
    message->ending.id = command->id;
    message->ending.value = command->id;
    const int error = visits_.enter(command->fd);
    if (error == 0) {
        visits_.leave();
        const int64_t timeout_ns = command->echo.timeout_ms * millisecond_ns;
        namespaces_[command->id] =
            std::make_unique<Netns>(Netns{std::move(command->fd), command->echo, std::move(command->sent),
                                          Path{EchoSocket(4, id_), {}, timeout_ns}, Path{EchoSocket(6, id_), {}, timeout_ns}});
    } else {
        message->ending.code = setns_code(error);
        message->ending.error = std::string("entering a network namespace: ") + strerror(error);
    }
    mailbox_.deliver(std::move(message));
}

void Pinger::release(uint32_t handle) {
    auto found = namespaces_.find(handle);
    if (found == namespaces_.end()) return;
    cancel(&found->second->v4);
    cancel(&found->second->v6);
    namespaces_.erase(found);
    schedule_.remove(handle, [&](const ProbeRequest& request) { end(request.target, cancelled, no_rtt); });
}

void Pinger::cancel(Path* path) {
    path->flights.each_under_way([&](const Flight* flight) { end(flight->target, cancelled, no_rtt); });
    set_deadline(path, 0);
}

void Pinger::read_arrivals() {
    const int64_t now = monotonic_ns();
    if (now < quiet_until_ns_ && sent_unread_ < sends_unread) return;
    sent_unread_ = 0;
    epoll_event events[64];
    const int count = epoll_wait(epoll_.get(), events, 64, 0);
    bool many = false;
    for (int i = 0; i < count; i++) many |= drain(static_cast<Path*>(events[i].data.ptr));
    if (count > 0 && !many) quiet_until_ns_ = now + quiet_ns;
}

bool Pinger::drain(Path* path) {
    const bool many = path->socket.receive(&inbox_, [&](const Arrival& arrival, int64_t stamp_ns, const Moment& now) {
        judge(path, arrival, stamp_ns, now);
    });
    // Nothing to wake up for.
    if (path->flights.under_way() == 0) set_deadline(path, 0);
    return many;
}

void Pinger::judge(Path* path, const Arrival& arrival, int64_t stamp_ns, const Moment& now) {
    // As if it had been lost: the kernel counts it in IcmpInCsumErrors.
    if (arrival.kind == Arrival::corrupt) return;
    Flight* flight = arrival.kind == Arrival::foreign ? nullptr : path->flights.find(arrival.sequence);
    const bool ours = flight && (!arrival.has_nonce || flight->nonce == arrival.nonce) &&
                      (arrival.kind != Arrival::error || memcmp(flight->address, arrival.destination, 16) == 0);
    if (!ours) {
        counters_.foreign++;
        return;
    }
    if (flight->state != Flight::under_way) {
        (flight->state == Flight::answered ? counters_.duplicate : counters_.late)++;
        return;
    }
    const int64_t rtt_ns = stamp_ns - flight->sent.realtime_ns;
    const bool clock_set = rtt_ns < 0 || stepped(flight->sent, now);
    const bool usable = !clock_set && !flight->delayed;
    // It arrived when its time was over, though that is only seen now.
    if (usable && rtt_ns > path->timeout_ns) {
        counters_.late++;
        path->flights.end(flight, Flight::lost);
        end(flight->target, timeout, no_rtt);
        return;
    }
    path->flights.end(flight, Flight::answered);
    if (arrival.kind == Arrival::error) return end(flight->target, unreachable, no_rtt, 0, arrival.type, arrival.code);
    if (clock_set) counters_.clock_steps++;
    end(flight->target, reply, usable ? static_cast<double>(rtt_ns) / second_ns : no_rtt);
}

// A reply may lie in the socket already, with its stamp: this thread may be late, not the reply.
void Pinger::expire() {
    const int64_t now = monotonic_ns();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        Path* path = deadlines_.begin()->second;
        drain(path);
        const int64_t sent_before = now - path->timeout_ns - delivery_ns;
        Flight* flight = path->flights.oldest();
        for (; flight && flight->since_ns <= sent_before; flight = path->flights.oldest()) {
            path->flights.end(flight, Flight::lost);
            end(flight->target, timeout, no_rtt);
        }
        set_deadline(path, flight ? flight->since_ns + path->timeout_ns + delivery_ns : 0);
    }
}

void Pinger::set_deadline(Path* path, int64_t at_ns) {
    if (path->deadline_ns) deadlines_.erase({path->deadline_ns, path});
    path->deadline_ns = at_ns;
    if (at_ns) deadlines_.insert({at_ns, path});
}

void Pinger::send_due() {
    for (ProbeRequest request; sent_unread_ < sends_unread && schedule_.take(&request);) send(request);
}

void Pinger::send(const ProbeRequest& request) {
    auto found = namespaces_.find(request.netns);
    if (found == namespaces_.end()) return end(request.target, cancelled, no_rtt);
    Netns* netns = found->second.get();
    if (const int error = send(netns, request.family == 4 ? &netns->v4 : &netns->v6, request))
        end(request.target, failed, no_rtt, error);
}

int Pinger::send(Netns* netns, Path* path, const ProbeRequest& request) {
    if (const int error = open_socket(*netns, path)) return error;
    Flight* flight = path->flights.begin(monotonic_ns());
    if (!flight) return EBUSY;
    flight->nonce = entropy_.next();
    flight->target = request.target;
    memcpy(flight->address, request.address, request.family == 4 ? 4 : 16);
    const size_t length =
        write_echo(request.family, {id_, flight->sequence, flight->nonce, netns->echo.payload_bytes}, packet_);
    const int error =
        path->socket.send(packet_, length, flight->sequence, request.address, request.zone, &flight->sent);
    if (was_counted(error)) netns->sent->packets++;
    if (error) {
        path->flights.end(flight, Flight::none);
        return error;
    }
    sent_unread_++;
    const int64_t after_ns = monotonic_ns();
    flight->delayed = after_ns - flight->sent.monotonic_ns > send_max_ns;
    flight->since_ns = flight->delayed ? after_ns : flight->sent.monotonic_ns;
    if (!path->deadline_ns) set_deadline(path, flight->since_ns + path->timeout_ns + delivery_ns);
    return 0;
}

// Tried again with each probe: what was in the way may go.
int Pinger::open_socket(const Netns& netns, Path* path) {
    if (path->socket.is_open()) return 0;
    if (const int error = visits_.enter(netns.fd)) return error;
    const int error = path->socket.open(netns.echo);
    visits_.leave();
    for (const Fd& fd : path->socket.fds()) {
        epoll_event event = {.events = EPOLLIN, .data = {.ptr = path}};
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event);
    }
    return error;
}

void Pinger::end(uint32_t target, Outcome outcome, double rtt_seconds, int error, uint8_t type, uint8_t code) {
    results_.add({rtt_seconds, target, error, outcome, type, code, {}});
}

void Pinger::flush() {
    if (!results_.is_due()) return;
    auto message = std::make_unique<Message>();
    message->results = results_.take();
    mailbox_.deliver(std::move(message));
}

}  // namespace netvitals_native
