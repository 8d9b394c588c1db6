// SPDX-License-Identifier: Apache-2.0
#include "icmp.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace netvitals_native {
namespace {

constexpr size_t v4_header_min = 20, v6_header = 40;
constexpr size_t v4_protocol = 9, v4_destination = 16, v6_next_header = 6, v6_destination = 24;

uint16_t word_at(const uint8_t* bytes) { return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]); }

void put_word(uint8_t* to, uint16_t value) {
    to[0] = static_cast<uint8_t>(value >> 8);
    to[1] = static_cast<uint8_t>(value);
}

// RFC 1071. Over a message with its checksum: 0.
uint16_t checksum(const uint8_t* bytes, size_t length) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2) sum += word_at(bytes + i);
    if (length & 1) sum += static_cast<uint32_t>(bytes[length - 1] << 8);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

bool is_error(uint8_t family, uint8_t type) {
    if (family == 4) return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
    return type >= ICMP6_DST_UNREACH && type <= ICMP6_PARAM_PROB;
}

void read_payload(const uint8_t* payload, size_t length, Arrival* to) {
    to->has_nonce = length >= echo_payload_min && memcmp(payload, echo_magic, sizeof(echo_magic)) == 0;
    if (to->has_nonce) memcpy(&to->nonce, payload + sizeof(echo_magic), sizeof(to->nonce));
}

// The request that an error quotes, from its IP header on.
bool read_quoted(uint8_t family, uint16_t id, const uint8_t* bytes, size_t length, Arrival* to) {
    size_t header = v6_header;
    if (family == 4) {
        if (length < v4_header_min || bytes[v4_protocol] != IPPROTO_ICMP) return false;
        header = (bytes[0] & 0x0f) * 4u;
        memcpy(to->destination, bytes + v4_destination, 4);
    } else {
        if (length < v6_header || bytes[v6_next_header] != IPPROTO_ICMPV6) return false;
        memcpy(to->destination, bytes + v6_destination, 16);
    }
    if (length < header + echo_header_bytes) return false;
    const uint8_t* icmp = bytes + header;
    if (icmp[0] != (family == 4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST) || word_at(icmp + 4) != id) return false;
    to->sequence = word_at(icmp + 6);
    read_payload(icmp + echo_header_bytes, length - header - echo_header_bytes, to);
    return true;
}

int attach(int socket, const sock_filter* code, size_t length) {
    const sock_fprog program = {static_cast<unsigned short>(length), const_cast<sock_filter*>(code)};
    return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 ? 0 : errno;
}

constexpr uint32_t whole_packet = ~0u;

// The IP header is there, and may have options.
int attach_v4(int socket, uint16_t id, Share share) {
    // First what costs the kernel not even a copy: the type alone.
    const icmp_filter types = {
        ~(1u << ICMP_ECHOREPLY | 1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB)};
    if (setsockopt(socket, SOL_RAW, ICMP_FILTER, &types, sizeof(types)) != 0) return errno;
    const sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),                      // X = length of the IP header
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),                       // type
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 10, 0),  // -> id
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8 + v4_protocol),         // of the quoted packet
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 0, 14),    // -> drop
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8),                       // its header's length
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0f),
        BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 8),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),                             // X = where its ICMP header is
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHO, 0, 6),        // -> drop
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),                       // id
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 4),               // -> drop
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 6),                       // sequence
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, share.count - 1u),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, share.index, 0, 1),      // -> drop
        BPF_STMT(BPF_RET | BPF_K, whole_packet),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return attach(socket, code, sizeof(code) / sizeof(code[0]));
}

// The ICMPv6 header comes first. A quoted packet with extension headers is not ours: we send none.
int attach_v6(int socket, uint16_t id, Share share) {
    icmp6_filter types;
    ICMP6_FILTER_SETBLOCKALL(&types);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &types);
    for (int type = ICMP6_DST_UNREACH; type <= ICMP6_PARAM_PROB; type++) ICMP6_FILTER_SETPASS(type, &types);
    if (setsockopt(socket, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof(types)) != 0) return errno;
    constexpr uint32_t quoted = 8, quoted_icmp = quoted + v6_header;
    const sock_filter code[] = {
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0),                          // X = where the echo's header is
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),                           // type
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REPLY, 5, 0),     // -> id
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, quoted + v6_next_header),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 9),       // -> drop
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, quoted_icmp),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REQUEST, 0, 6),   // -> drop
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),                           // id
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, id, 0, 4),                   // -> drop
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 6),                           // sequence
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, share.count - 1u),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, share.index, 0, 1),          // -> drop
        BPF_STMT(BPF_RET | BPF_K, whole_packet),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    return attach(socket, code, sizeof(code) / sizeof(code[0]));
}

}  // namespace

size_t write_echo(uint8_t family, const EchoRequest& request, uint8_t* to) {
    const size_t length = echo_header_bytes + request.payload_bytes;
    memset(to, 0, length);
    to[0] = family == 4 ? static_cast<uint8_t>(ICMP_ECHO) : static_cast<uint8_t>(ICMP6_ECHO_REQUEST);
    put_word(to + 4, request.id);
    put_word(to + 6, request.sequence);
    memcpy(to + echo_header_bytes, echo_magic, sizeof(echo_magic));
    memcpy(to + echo_header_bytes + sizeof(echo_magic), &request.nonce, sizeof(request.nonce));
    if (family == 4) put_word(to + 2, checksum(to, length));
    return length;
}

Arrival read_arrival(uint8_t family, uint16_t id, const uint8_t* bytes, size_t length, bool whole) {
    Arrival arrival;
    const size_t header = family == 4 && length > 0 ? (bytes[0] & 0x0f) * 4u : 0;
    if (length < header + echo_header_bytes) return arrival;
    const uint8_t* icmp = bytes + header;
    const size_t rest = length - header - echo_header_bytes;
    // The kernel hands raw sockets what it has verified on IPv6 (rawv6_rcv), and what came on IPv4 (raw_rcv).
    if (family == 4 && whole && checksum(icmp, length - header) != 0) {
        arrival.kind = Arrival::corrupt;
        return arrival;
    }
    if (is_error(family, icmp[0])) {
        if (!read_quoted(family, id, icmp + echo_header_bytes, rest, &arrival)) return arrival;
        arrival.kind = Arrival::error;
        arrival.type = icmp[0];
        arrival.code = icmp[1];
        return arrival;
    }
    if (icmp[0] != (family == 4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || word_at(icmp + 4) != id) return arrival;
    arrival.sequence = word_at(icmp + 6);
    read_payload(icmp + echo_header_bytes, rest, &arrival);
    if (arrival.has_nonce) arrival.kind = Arrival::reply;
    return arrival;
}

int attach_filter(int socket, uint8_t family, uint16_t id, Share share) {
    return family == 4 ? attach_v4(socket, id, share) : attach_v6(socket, id, share);
}

}  // namespace netvitals_native
