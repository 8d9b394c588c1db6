// SPDX-License-Identifier: Apache-2.0
// The raw ICMP socket of one network namespace and family: its options, a packet out with its stamp, packets in with the
// kernel's.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

#include "clocks.h"
#include "fd.h"
#include "icmp.h"

namespace netvitals_native {

struct EchoOptions {
    uint32_t payload_bytes;
    int ttl;
    int dscp;
    uint32_t timeout_ms;
};

// Where packets are received into, a batch at a time: one for all sockets.
class Inbox {
public:
    static constexpr unsigned batch = 64;

    Inbox();
    // The number of packets, or 0.
    unsigned receive(int socket);
    Arrival arrival(unsigned index, uint8_t family, uint16_t id) const;
    // The realtime clock when the kernel got it; `otherwise` where the packet came without a stamp.
    int64_t stamp_ns(unsigned index, int64_t otherwise) const;

private:
    // IPv4 header, ICMP header, and an error's quote: all of a request (up to 1500 bytes) with 60 bytes of IP options.
    static constexpr size_t packet_bytes = 1'664;
    static constexpr size_t control_bytes = CMSG_SPACE(sizeof(timespec));

    std::vector<uint8_t> packets_, controls_;
    std::vector<iovec> parts_;
    std::vector<mmsghdr> messages_;
};

class EchoSocket {
public:
    EchoSocket(uint8_t family, uint16_t id) : family_(family), id_(id) {}

    // In the namespace that the thread is in. 0, or an errno.
    int open(const EchoOptions& options);
    bool is_open() const { return !fds_.empty(); }
    const std::vector<Fd>& fds() const { return fds_; }
    uint8_t family() const { return family_; }

    // Stamps and sends. 0, or the errno of this very packet.
    int send(const uint8_t* packet, size_t length, uint16_t sequence, const uint8_t* address, uint32_t zone, Moment* sent) const;

    // Calls use(arrival, stamp_ns, now) for each packet that is there. Returns whether there were many.
    template <typename Use>
    bool receive(Inbox* inbox, Use use) const {
        bool many = false;
        for (const Fd& fd : fds_) {
            for (unsigned count = Inbox::batch; count == Inbox::batch;) {
                count = inbox->receive(fd.get());
                many |= count == Inbox::batch;
                const Moment now = both_clocks();
                for (unsigned i = 0; i < count; i++)
                    use(inbox->arrival(i, family_, id_), inbox->stamp_ns(i, now.realtime_ns), now);
            }
        }
        return many;
    }

private:
    int open_one(const EchoOptions& options, Share share, Fd* to) const;

    const uint8_t family_;
    const uint16_t id_;
    std::vector<Fd> fds_;
};

}  // namespace netvitals_native
