// SPDX-License-Identifier: Apache-2.0
// One question to the kernel's connection tracking: what does it know of this TCP four-tuple?
// @see linux/netfilter/nfnetlink_conntrack.h
#pragma once

#include <cstdint>

#include "fd.h"

namespace netvitals_native {

// As the client's socket has them; ports in host byte order, IPv4 in the first 4 bytes.
struct Tuple {
    uint8_t family;  // 4 or 6
    uint16_t source_port;
    uint16_t destination_port;
    uint8_t source[16];
    uint8_t destination[16];
};

struct Endpoint {
    uint16_t port = 0;
    uint8_t address[16] = {};
};

class CtSocket {
public:
    // Belongs to the network namespace of the calling thread. Without ctnetlink then: every lookup is EOPNOTSUPP.
    CtSocket();
    // 0: `answered` is who the packets really go to; else an errno, ENOENT: no such connection.
    int lookup(const Tuple& tuple, Endpoint* answered);

private:
    Fd fd_;
    int error_ = 0;
    uint32_t sequence_ = 0;
};

}  // namespace netvitals_native
