// SPDX-License-Identifier: Apache-2.0
#include "reader.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <system_error>

#include "bpf/events.h"
#include "netns.h"

namespace netvitals_native {
namespace {

constexpr int batch_ms = 100;  // how old a record may grow
constexpr int first_batch_ms = 50;  // after a time without any; both ends of a connection come together
// A record may come in the instant in which the reader goes to sleep, and not see that it does.
constexpr int sleep_ms = 1000;

}  // namespace

Reader::Reader(const ProgramSizes& sizes, uint8_t* const buffers[buffer_count], bool joins)
    : programs_(sizes),
      buffers_(buffers),
      // The size of the kernel's own buffer (bpf_seq_read): a read of as much gives whole records.
      walk_bytes_(std::min<size_t>(8 * static_cast<size_t>(getpagesize()), buffer_bytes)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      joins_(joins),
      chunk_(walk_bytes_) {
    // Edge by edge: what trickles in between two wake-ups waits for the timer, else each record were a batch.
    epoll_event ring_event{.events = EPOLLIN | EPOLLET, .data = {.fd = programs_.ring_fd()}};
    epoll_event wake_event{.events = EPOLLIN, .data = {.fd = mailbox_.wake_fd()}};
    if (!epoll_ || !mailbox_ ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, programs_.ring_fd(), &ring_event) ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, mailbox_.wake_fd(), &wake_event))
        throw CodedError("ERR_RING", std::string("waiting for the ring buffer: ") + strerror(errno));
    try {
        ring_ = std::make_unique<Ring>(programs_.ring_fd(), programs_.ring_bytes());
    } catch (const std::system_error& error) {
        throw CodedError("ERR_RING", std::string("mapping the ring buffer: ") + error.what());
    }
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        throw CodedError("ERR_RING", std::string("starting the thread that reads the ring buffer: ") + error.what());
    }
}

Reader::~Reader() {
    {
        std::lock_guard lock(mutex_);
        mailbox_.end();
    }
    given_back_.notify_one();
    thread_.join();
}

void Reader::give_back(int buffer) {
    {
        std::lock_guard lock(mutex_);
        busy_[buffer] = false;
    }
    given_back_.notify_one();
}

void Reader::pause(bool paused) {
    paused_ = paused;
    mailbox_.wake();
}

void Reader::run() {
    pthread_setname_np(pthread_self(), "netvitals-read");
    mailbox_.wait_for_begin();
    while (!mailbox_.ending()) {
        wait();
        // Now nobody has to wake it; what comes meanwhile is read, or counts when it waits again.
        programs_.set_reader(NV_READER_WOKEN);
        mailbox_.take_wake();
        if (paused_) continue;
        quiet_ = drain() == 0;
        send_buffer();
        for (Command command; mailbox_.next(&command);) run_command(command);
    }
}

// For enough records, for the time that those there may wait, or to be told something.
void Reader::wait() {
    if (quiet_ && !paused_) {
        programs_.set_reader(NV_READER_SLEEPS);
        if (ring_->is_empty() && !wait_for(sleep_ms)) return;
    }
    if (!paused_) programs_.set_reader(NV_READER_WAITS);
    wait_for(quiet_ ? first_batch_ms : batch_ms);
}

// True: records are there, and nothing else. A descriptor that is its own mark: the ring's.
bool Reader::wait_for(int ms) {
    epoll_event events[2];
    const int n = epoll_wait(epoll_.get(), events, 2, ms);
    return n == 1 && events[0].data.fd == programs_.ring_fd();
}

void Reader::run_command(const Command& command) {
    auto message = std::make_unique<Message>();
    message->ending.id = command.id;
    try {
        if (command.kind == Command::sample) message->ending.value = sample();
        if (command.kind == Command::snapshot) message->ending.value = snapshot(command.netns.get());
        if (command.kind == Command::holders) message->ending.value = holders(command.sockets);
    } catch (const CodedError& error) {
        message->ending.code = error.code;
        message->ending.error = error.what();
    }
    drain();
    send_buffer();
    mailbox_.deliver(std::move(message));
}

/*
 * In order with the ring. An end that the ring had no room for follows what is in the ring, so that is read first; the
 * rest of a walk is older than what is in the ring after it: a connection that it shows ends there, if it ended.
 */
double Reader::sample() {
    double records = 0;
    // Each end is deleted when it was read, which makes a walk pass over others: a second one takes these.
    for (int walks = 0; walks < 2; walks++) {
        Fd fd{programs_.open_walk(Walk::deferred)};
        const double ends = fd ? walk_deferred(fd.get()) : 0;
        records += ends;
        if (ends == 0) break;
    }
    Fd conns{programs_.open_walk(Walk::conns)};
    if (!conns) throw CodedError("ERR_NO_ITERATOR", "sampling live sockets: \"iter/bpf_map_elem\" is not attached");
    const double sockets = walk(conns.get(), "ERR_SAMPLE");
    if (!mailbox_.ending()) sockets_ = sockets;
    records += sockets;
    if (Fd fd{programs_.open_walk(Walk::synacks)}) records += walk(fd.get(), "ERR_SAMPLE");
    return records;
}

double Reader::walk_deferred(int fd) {
    double records = 0;
    while (ssize_t n = read_walk(fd, chunk_.data(), "ERR_SAMPLE")) {
        drain();
        for (size_t at = 0; at < static_cast<size_t>(n); at += sizeof(nv_conn))
            if (!append({chunk_.data() + at, sizeof(nv_conn), nullptr, 0})) return records;
        records += static_cast<double>(n) / sizeof(nv_conn);
    }
    return records;
}

// Reads one walk to its end; the number of records.
double Reader::walk(int fd, const char* code) {
    double records = 0;
    for (int reads = 1;; reads++) {
        if (!has_room(walk_bytes_)) send_buffer();
        if (!take_buffer()) break;
        const ssize_t n = read_walk(fd, buffers_[current_] + filled_, code);
        if (n == 0) break;
        joiner_.told(buffers_[current_] + filled_, static_cast<size_t>(n));
        filled_ += static_cast<size_t>(n);
        records += static_cast<double>(n) / sizeof(nv_conn);
        if (reads % 8 == 0) drain();
    }
    return records;
}

// EAGAIN: a million empty places in a row, the walk goes on.
ssize_t Reader::read_walk(int fd, uint8_t* to, const char* code) const {
    for (;;) {
        if (mailbox_.ending()) return 0;
        const ssize_t n = read(fd, to, walk_bytes_);
        if (n >= 0) return n;
        if (errno != EAGAIN && errno != EINTR) throw CodedError(code, std::string("reading a walk: ") + strerror(errno));
    }
}

double Reader::snapshot(int netns) {
    if (away_) come_back();
    if (netns >= 0) {
        if (!own_netns_) own_netns_ = Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        if (!own_netns_)
            throw CodedError("ERR_SETNS", std::string("opening /proc/thread-self/ns/net: ") + strerror(errno));
        enter(netns, "entering a network namespace");
        away_ = true;
    }
    double entered = 0;
    std::exception_ptr failed;
    try {
        Fd fd{programs_.open_snapshot()};
        entered = walk(fd.get(), "ERR_SNAPSHOT");
    } catch (const CodedError&) {
        failed = std::current_exception();
    }
    programs_.clear_listeners();
    if (away_) come_back();
    if (failed) std::rethrow_exception(failed);
    return entered;
}

double Reader::holders(const std::vector<uint64_t>& sockets) {
    struct Clear {
        const Programs& programs;
        ~Clear() { programs.clear_wanted(); }
    } clear{programs_};
    Fd fd{programs_.open_holders(sockets)};
    return walk(fd.get(), "ERR_HOLDERS");
}

void Reader::enter(int netns, const char* what) const {
    if (setns(netns, CLONE_NEWNET) == 0) return;
    const int error = errno;
    throw CodedError(setns_code(error), std::string(what) + ": " + strerror(error));
}

// When it fails the thread stays where it is, and the next snapshot begins with another try.
void Reader::come_back() {
    enter(own_netns_.get(), "returning to the program's own network namespace");
    away_ = false;
}

// What was in the ring when it began; of what comes meanwhile a ring's worth at most, so that commands have their turn.
size_t Reader::drain() {
    Ring::Record record;
    size_t drained = 0;
    while (drained < programs_.ring_bytes() && ring_->peek(&record)) {
        if (!append(record)) return drained;
        ring_->take();
        drained += record.size + record.rest_size;
    }
    ring_->publish();
    return drained;
}

bool Reader::append(const Ring::Record& record) {
    const size_t size = record.size + record.rest_size;
    if (!has_room(size + EndJoiner::extra_bytes)) send_buffer();
    if (!take_buffer()) return false;
    memcpy(buffers_[current_] + filled_, record.data, record.size);
    if (record.rest_size) memcpy(buffers_[current_] + filled_ + record.size, record.rest, record.rest_size);
    if (!joins_ || !joiner_.join(filled_)) filled_ += size;
    return true;
}

// A buffer to fill; false when the reader stops while all are on the other side.
bool Reader::take_buffer() {
    if (current_ >= 0) return true;
    std::unique_lock lock(mutex_);
    for (;;) {
        if (mailbox_.ending()) return false;
        for (size_t i = 0; i < buffer_count; i++) {
            if (busy_[i]) continue;
            busy_[i] = true;
            current_ = static_cast<int>(i);
            filled_ = 0;
            joiner_.begin(buffers_[i], buffer_bytes);
            return true;
        }
        given_back_.wait(lock);
    }
}

void Reader::send_buffer() {
    if (current_ < 0 || filled_ == 0) return;
    auto message = std::make_unique<Message>();
    message->buffer = current_;
    message->length = filled_;
    current_ = -1;
    filled_ = 0;
    mailbox_.deliver(std::move(message));
}

}  // namespace netvitals_native
