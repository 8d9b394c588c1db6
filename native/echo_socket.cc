// SPDX-License-Identifier: Apache-2.0
#include "echo_socket.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace netvitals_native {
namespace {

// Room for the replies of some thousands of targets that answer at once. A small reply takes 768 bytes of it, on real
// interfaces up to 4 KiB; the default holds 277.
constexpr int receive_bytes = 4 << 20;
// A neighbour that does not answer holds what is sent to it for some seconds.
constexpr int send_bytes = 4 << 20;
// Without CAP_NET_ADMIN a socket gets net.core.rmem_max: these share the replies then.
constexpr uint16_t shares_without_room = 4;
constexpr int enough_bytes = 2 << 20;

int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : errno;
}

int get(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

void set_buffer(int fd, int forced, int allowed, int bytes) {
    if (set(fd, SOL_SOCKET, forced, bytes) != 0) set(fd, SOL_SOCKET, allowed, bytes);
}

socklen_t write_address(uint8_t family, const uint8_t* address, uint32_t zone, sockaddr_storage* to) {
    if (family == 4) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(to);
        *v4 = {.sin_family = AF_INET};
        memcpy(&v4->sin_addr, address, sizeof(v4->sin_addr));
        return sizeof(*v4);
    }
    auto* v6 = reinterpret_cast<sockaddr_in6*>(to);
    *v6 = {.sin6_family = AF_INET6, .sin6_scope_id = zone};
    memcpy(&v6->sin6_addr, address, sizeof(v6->sin6_addr));
    return sizeof(*v6);
}

}  // namespace

Inbox::Inbox() : packets_(batch * packet_bytes), controls_(batch * control_bytes), parts_(batch), messages_(batch) {}

unsigned Inbox::receive(int socket) {
    for (unsigned i = 0; i < batch; i++) {
        parts_[i] = {&packets_[i * packet_bytes], packet_bytes};
        msghdr& header = messages_[i].msg_hdr;
        header = {};
        header.msg_iov = &parts_[i];
        header.msg_iovlen = 1;
        header.msg_control = &controls_[i * control_bytes];
        header.msg_controllen = control_bytes;
    }
    const int count = recvmmsg(socket, messages_.data(), batch, MSG_DONTWAIT, nullptr);
    return count < 0 ? 0 : static_cast<unsigned>(count);
}

Arrival Inbox::arrival(unsigned index, uint8_t family, uint16_t id) const {
    const mmsghdr& message = messages_[index];
    const size_t length = std::min<size_t>(message.msg_len, packet_bytes);
    return read_arrival(family, id, &packets_[index * packet_bytes], length, !(message.msg_hdr.msg_flags & MSG_TRUNC));
}

int64_t Inbox::stamp_ns(unsigned index, int64_t otherwise) const {
    msghdr* header = const_cast<msghdr*>(&messages_[index].msg_hdr);
    for (cmsghdr* control = CMSG_FIRSTHDR(header); control != nullptr; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_TIMESTAMPNS) continue;
        timespec stamp;
        memcpy(&stamp, CMSG_DATA(control), sizeof(stamp));
        return stamp.tv_sec * second_ns + stamp.tv_nsec;
    }
    return otherwise;
}

int EchoSocket::open(const EchoOptions& options) {
    std::vector<Fd> fds(1);
    if (const int error = open_one(options, {1, 0}, &fds[0])) return error;
    if (get(fds[0].get(), SO_RCVBUF) < enough_bytes) {
        fds.resize(shares_without_room);
        for (uint16_t i = 0; i < shares_without_room; i++)
            if (const int error = open_one(options, {shares_without_room, i}, &fds[i])) return error;
    }
    fds_ = std::move(fds);
    return 0;
}

int EchoSocket::open_one(const EchoOptions& options, Share share, Fd* to) const {
    const bool v4 = family_ == 4;
    const int protocol = v4 ? static_cast<int>(IPPROTO_ICMP) : static_cast<int>(IPPROTO_ICMPV6);
    Fd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
    if (!fd) return errno;
    if (const int error = attach_filter(fd.get(), family_, id_, share)) return error;
    // What came before the filter stood.
    uint8_t byte;
    while (recv(fd.get(), &byte, 1, MSG_DONTWAIT) >= 0) continue;
    const int level = v4 ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6);
    for (const int error : {set(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1),
                            set(fd.get(), level, v4 ? IP_TTL : IPV6_UNICAST_HOPS, options.ttl),
                            set(fd.get(), level, v4 ? IP_TOS : IPV6_TCLASS, options.dscp << 2)})
        if (error) return error;
    set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, receive_bytes);
    set_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, send_bytes);
    *to = std::move(fd);
    return 0;
}

int EchoSocket::send(const uint8_t* packet, size_t length, uint16_t sequence, const uint8_t* address, uint32_t zone,
                     Moment* sent) const {
    const int fd = fds_[sequence & (fds_.size() - 1)].get();
    sockaddr_storage to;
    const socklen_t to_length = write_address(family_, address, zone, &to);
    // An error that somebody else left with the socket is not this packet's. (ICMP errors are none: the sockets are not
    // connected and don't ask for IP_RECVERR.)
    get(fd, SO_ERROR);
    *sent = both_clocks();
    return sendto(fd, packet, length, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to), to_length) < 0 ? errno : 0;
}

}  // namespace netvitals_native
