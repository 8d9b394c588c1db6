// SPDX-License-Identifier: Apache-2.0
// ICMP echo as bytes: what a probe looks like (README.md tells firewall teams), what of it comes back, and the filter
// that keeps everything else in the kernel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace netvitals_native {

constexpr char echo_magic[16] = "netvitals probe";
constexpr size_t echo_header_bytes = 8;
constexpr size_t echo_payload_min = sizeof(echo_magic) + sizeof(uint64_t);
constexpr size_t echo_payload_max = 1400;

struct EchoRequest {
    uint16_t id;
    uint16_t sequence;
    uint64_t nonce;
    size_t payload_bytes;
};

// Writes ICMP header and payload; with the checksum for IPv4 (the kernel does ICMPv6's). Returns its length.
size_t write_echo(uint8_t family, const EchoRequest& request, uint8_t* to);

// What arrived, as far as it concerns a probe.
struct Arrival {
    // corrupt: its checksum is wrong, so nothing in it says whose it is.
    enum Kind { foreign, corrupt, reply, error } kind = foreign;
    uint16_t sequence = 0;
    bool has_nonce = false;  // an error may quote less than all of it
    uint64_t nonce = 0;
    uint8_t type = 0;  // of an error
    uint8_t code = 0;
    uint8_t destination[16] = {};  // of the request that an error quotes
};

// An IPv4 packet with its IP header, or an ICMPv6 message without: as raw sockets give them. `length` bytes are there;
// `whole`: that is all of it.
Arrival read_arrival(uint8_t family, uint16_t id, const uint8_t* bytes, size_t length, bool whole);

// One of the sockets that share the replies: those whose sequence leaves `index` when divided by `count`, a power of two.
struct Share {
    uint16_t count;
    uint16_t index;
};

// Lets through replies to this id, and errors that quote a request of it. Nothing else is copied or wakes anybody.
// 0, or an errno.
int attach_filter(int socket, uint8_t family, uint16_t id, Share share);

}  // namespace netvitals_native
