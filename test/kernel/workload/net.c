/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* `10.0.0.1:80` or `[fd00::1]:80`. */
bool address_parse(const char *text, struct sockaddr_storage *out)
{
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    uint16_t port = htons((uint16_t)atoi(colon + 1));
    memset(out, 0, sizeof *out);
    if (host[0] == '[') {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        host[strlen(host) - 1] = 0;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = port;
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

struct sockaddr_storage address_mapped(const struct sockaddr_storage *v4)
{
    const struct sockaddr_in *from = (const struct sockaddr_in *)v4;
    struct sockaddr_storage out = {0};
    struct sockaddr_in6 *to = (struct sockaddr_in6 *)&out;
    to->sin6_family = AF_INET6;
    to->sin6_port = from->sin_port;
    memset(&to->sin6_addr.s6_addr[10], 0xff, 2);
    memcpy(&to->sin6_addr.s6_addr[12], &from->sin_addr, 4);
    return out;
}

socklen_t address_len(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

void set_port(struct sockaddr_storage *address, uint16_t port)
{
    /* sin_port and sin6_port are at the same place. */
    ((struct sockaddr_in *)address)->sin_port = htons(port);
}

static struct tcp_info tcp_info(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info;
}

uint32_t total_retrans(int fd)
{
    return tcp_info(fd).tcpi_total_retrans;
}

bool in_handshake(int fd)
{
    return tcp_info(fd).tcpi_state == TCP_SYN_SENT;
}

int unacked(int fd)
{
    int n = -1;
    return ioctl(fd, SIOCOUTQ, &n) ? -1 : n;
}

int readable(int fd)
{
    int n = -1;
    return ioctl(fd, SIOCINQ, &n) ? -1 : n;
}

void set_int(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value))
        note("setsockopt(%d, %d): %s", level, name, strerror(errno));
}

void ack_now(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

void reset_on_close(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) ? errno : error;
}

uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool wait_amount(int (*amount)(int), int fd, int wanted)
{
    for (uint64_t deadline = now_ms() + 5000; now_ms() < deadline; usleep(50))
        if (amount(fd) == wanted)
            return true;
    return false;
}
