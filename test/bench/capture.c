// SPDX-License-Identifier: Apache-2.0
// Round trips of ICMP echo as they were on an interface, by the kernel's own stamps of both packets. Prints "ready";
// when its standard input ends, a line for each request that was answered, in the order that they were sent: the
// destination and nanoseconds.
//
//   capture INTERFACE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct trip {
    uint32_t address;
    uint32_t id_sequence;
    int64_t sent_ns;
    int64_t rtt_ns;
};

static struct trip *trips;
static size_t count, room;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void request(uint32_t address, uint32_t id_sequence, int64_t at_ns)
{
    if (count == room) trips = realloc(trips, (room = room ? 2 * room : 65536) * sizeof *trips);
    trips[count++] = (struct trip){address, id_sequence, at_ns, 0};
}

// Answers come soon, so the request is one of the last.
static void reply(uint32_t address, uint32_t id_sequence, int64_t at_ns)
{
    for (size_t i = count; i-- > 0;)
        if (trips[i].address == address && trips[i].id_sequence == id_sequence && !trips[i].rtt_ns) {
            trips[i].rtt_ns = at_ns - trips[i].sent_ns;
            return;
        }
}

// Whether there was a packet.
static int take(int fd)
{
    uint8_t packet[64], control[128];
    struct iovec part = {packet, sizeof packet};
    struct sockaddr_ll from;
    struct msghdr header = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                            .msg_control = control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(fd, &header, MSG_DONTWAIT);
    if (length < 0) return 0;
    if (length < 28 || packet[0] != 0x45 || packet[9] != IPPROTO_ICMP) return 1;
    struct cmsghdr *stamp = CMSG_FIRSTHDR(&header);
    if (!stamp || stamp->cmsg_type != SCM_TIMESTAMPNS) return 1;
    struct timespec at;
    memcpy(&at, CMSG_DATA(stamp), sizeof at);
    int64_t at_ns = at.tv_sec * 1000000000LL + at.tv_nsec;
    uint32_t source, destination, id_sequence;
    memcpy(&source, packet + 12, 4);
    memcpy(&destination, packet + 16, 4);
    memcpy(&id_sequence, packet + 24, 4);
    int outgoing = from.sll_pkttype == PACKET_OUTGOING;
    if (outgoing && packet[20] == 8) request(destination, id_sequence, at_ns);
    if (!outgoing && packet[20] == 0) reply(source, id_sequence, at_ns);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    address.sll_ifindex = if_nametoindex(argv[1]);
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), bytes = 64 << 20, on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (bind(fd, (void *)&address, sizeof address)) die("bind");
    puts("ready");
    fflush(stdout);
    // It reads at the end, and now and then: what it takes of the processors is taken from those it watches.
    for (struct pollfd in = {0, POLLIN, 0}; poll(&in, 1, 2000) == 0;)
        while (take(fd)) continue;
    while (take(fd)) continue;
    for (size_t i = 0; i < count; i++) {
        struct in_addr to = {trips[i].address};
        if (trips[i].rtt_ns) printf("%s %lld\n", inet_ntoa(to), (long long)trips[i].rtt_ns);
    }
    return 0;
}
