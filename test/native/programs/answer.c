// SPDX-License-Identifier: Apache-2.0
// Answers the echo requests that arrive on an interface, in the kernel's place (which is told to ignore them), the way
// that is asked for. Prints "ready", then a line for each hold that was let go; ends with its standard input.
//
//   answer INTERFACE HOW
//
//   reply      as it should be            nonce     another nonce
//   twice      and once more              sequence  the next sequence number
//   late       1 s later                  short     without its last byte of nonce
//   corrupt    one bit flipped            hold=N    N of them at once, when the last has come
//   quote8     host unreachable, quoting the ICMP header alone
//   misquote   host unreachable, quoting another destination
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX 2048
#define NONCE_AT (8 + 16)
#define NONCE_END (NONCE_AT + 8)

struct frame {
    size_t length;
    uint8_t bytes[MAX];
};

static int socket_fd;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t sum(const uint8_t *bytes, size_t length, uint32_t to)
{
    for (size_t i = 0; i + 1 < length; i += 2) to += bytes[i] << 8 | bytes[i + 1];
    return length & 1 ? to + (bytes[length - 1] << 8) : to;
}

static void put_sum(uint8_t *to, uint32_t value)
{
    while (value >> 16) value = (value & 0xffff) + (value >> 16);
    to[0] = ~value >> 8;
    to[1] = ~value;
}

static int is_v6(const struct frame *f) { return f->bytes[12] == 0x86; }
static uint8_t *ip_of(struct frame *f) { return f->bytes + ETH_HLEN; }
static uint8_t *icmp_of(struct frame *f) { return ip_of(f) + (is_v6(f) ? 40 : (ip_of(f)[0] & 15) * 4); }

// Lengths and checksums of what the frame holds now.
static void finish(struct frame *f)
{
    uint8_t *ip = ip_of(f), *icmp = icmp_of(f);
    size_t icmp_length = f->bytes + f->length - icmp;
    icmp[2] = icmp[3] = 0;
    if (is_v6(f)) {
        ip[4] = icmp_length >> 8;
        ip[5] = icmp_length;
        put_sum(icmp + 2, sum(icmp, icmp_length, sum(ip + 8, 32, icmp_length + IPPROTO_ICMPV6)));
    } else {
        size_t length = f->length - ETH_HLEN;
        ip[2] = length >> 8;
        ip[3] = length;
        ip[10] = ip[11] = 0;
        put_sum(ip + 10, sum(ip, icmp - ip, 0));
        put_sum(icmp + 2, sum(icmp, icmp_length, 0));
    }
}

static void swap(uint8_t *a, uint8_t *b, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

static void turn_back(struct frame *f)
{
    uint8_t *ip = ip_of(f);
    swap(f->bytes, f->bytes + 6, 6);
    if (is_v6(f))
        swap(ip + 8, ip + 24, 16);
    else
        swap(ip + 12, ip + 16, 4);
    icmp_of(f)[0] = is_v6(f) ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
}

static void send_frame(const struct frame *f)
{
    if (send(socket_fd, f->bytes, f->length, 0) < 0) die("send");
}

// A router's host unreachable (ICMPv6: address unreachable), with the first `bytes` of the request behind its IP header.
static void send_error(const struct frame *request, size_t bytes, int other_destination)
{
    struct frame f = *request, quoted = *request;
    size_t header = icmp_of(&quoted) - ip_of(&quoted);
    turn_back(&f);
    uint8_t *icmp = icmp_of(&f);
    memset(icmp, 0, 8);
    icmp[0] = is_v6(&f) ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH;
    icmp[1] = is_v6(&f) ? ICMP6_DST_UNREACH_ADDR : ICMP_HOST_UNREACH;
    if (other_destination) ip_of(&quoted)[is_v6(&f) ? 39 : 19] ^= 1;
    memcpy(icmp + 8, ip_of(&quoted), header + bytes);
    f.length = icmp + 8 + header + bytes - f.bytes;
    finish(&f);
    send_frame(&f);
}

static void answer(const struct frame *request, const char *how)
{
    if (!strcmp(how, "quote8")) return send_error(request, 8, 0);
    if (!strcmp(how, "misquote")) return send_error(request, 8, 1);
    struct frame f = *request;
    turn_back(&f);
    uint8_t *icmp = icmp_of(&f);
    if (!strcmp(how, "nonce")) icmp[NONCE_AT] ^= 0x40;
    if (!strcmp(how, "sequence")) icmp[7]++;
    if (!strcmp(how, "short")) f.length = icmp + NONCE_END - 1 - f.bytes;
    if (!strcmp(how, "late")) sleep(1);
    finish(&f);
    if (!strcmp(how, "corrupt")) icmp[NONCE_END] ^= 1;
    send_frame(&f);
    if (!strcmp(how, "twice")) send_frame(&f);
}

static int is_probe(struct frame *f)
{
    if (f->length < ETH_HLEN + 40) return 0;
    uint8_t *ip = ip_of(f);
    if (is_v6(f) ? ip[6] != IPPROTO_ICMPV6 : f->bytes[12] != 8 || f->bytes[13] != 0 || ip[9] != IPPROTO_ICMP) return 0;
    uint8_t *icmp = icmp_of(f);
    if (icmp + NONCE_END > f->bytes + f->length) return 0;
    return icmp[0] == (is_v6(f) ? ICMP6_ECHO_REQUEST : ICMP_ECHO) && !memcmp(icmp + 8, "netvitals probe", 16);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    const char *how = argv[2];
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    address.sll_ifindex = if_nametoindex(argv[1]);
    socket_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    int bytes = 64 << 20;
    setsockopt(socket_fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    if (bind(socket_fd, (void *)&address, sizeof address)) die("bind");
    long hold = strncmp(how, "hold=", 5) ? 0 : atol(how + 5), held = 0;
    struct frame *frames = calloc(hold + 1, sizeof *frames);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd fds[] = {{socket_fd, POLLIN, 0}, {0, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0) die("poll");
        if (fds[1].revents) return 0;
        struct frame *f = &frames[held];
        struct sockaddr_ll from;
        socklen_t from_length = sizeof from;
        ssize_t length = recvfrom(socket_fd, f->bytes, MAX, 0, (void *)&from, &from_length);
        if (length < 0) die("recvfrom");
        f->length = length;
        if (from.sll_pkttype == PACKET_OUTGOING || !is_probe(f)) continue;
        if (!hold) {
            answer(f, how);
        } else if (++held == hold) {
            for (long i = 0; i < held; i++) answer(&frames[i], "reply");
            held = 0;
            puts("let go");
            fflush(stdout);
        }
    }
}
