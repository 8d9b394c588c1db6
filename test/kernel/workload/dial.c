/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef TCP_FASTOPEN_NO_COOKIE
#define TCP_FASTOPEN_NO_COOKIE 34
#endif

int dial_socket(const struct options *o)
{
    int family = o->mapped ? AF_INET6 : o->to.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, o->mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);
    if (fd < 0 || !o->bind_port)
        return fd;
    struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
    set_port(&any, (uint16_t)o->bind_port);
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (struct sockaddr *)&any, address_len(&any))) {
        note("bind to port %u: %s", o->bind_port, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

static int connect_nonblocking(int fd, const struct sockaddr_storage *to)
{
    static int epoll_fd = -1;
    if (epoll_fd < 0)
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (connect(fd, (const struct sockaddr *)to, address_len(to)) && errno != EINPROGRESS)
        return -1;
    struct epoll_event event = {.events = EPOLLOUT | EPOLLONESHOT};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    epoll_wait(epoll_fd, &event, 1, 10000);
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    fcntl(fd, F_SETFL, 0);
    errno = socket_error(fd);
    return errno ? -1 : 0;
}

/* Its own address and port: a simultaneous open, SYN_SENT, SYN_RECV, ESTABLISHED, with one socket. */
static int connect_to_itself(int fd, const struct sockaddr_storage *to)
{
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (bind(fd, (const struct sockaddr *)to, address_len(to)))
        return -1;
    return connect(fd, (const struct sockaddr *)to, address_len(to));
}

/* Twice to a closed port, then with the same socket to the one that listens. */
static int connect_again(int fd, const struct options *o, const struct sockaddr_storage *to)
{
    struct sockaddr_storage closed = *to;
    struct tally *tally;
    set_port(&closed, (uint16_t)o->retry_port);
    tally = tally_of(true, &closed, (uint16_t)o->retry_port);
    for (int i = 0; i < 2; i++) {
        if (connect(fd, (struct sockaddr *)&closed, address_len(&closed)) == 0) {
            note("port %u should be closed", o->retry_port);
            return -1;
        }
        count_failure(tally, o, errno);
    }
    return connect(fd, (const struct sockaddr *)to, address_len(to));
}

static int connect_as_told(int fd, const struct options *o, const struct sockaddr_storage *to, const void *payload,
                           size_t length, size_t *sent, unsigned style)
{
    const struct sockaddr *address = (const struct sockaddr *)to;
    if (strcmp(o->how, "nonblock") == 0)
        return connect_nonblocking(fd, to);
    if (strcmp(o->how, "uring") == 0)
        return uring_connect(fd, to);
    if (strcmp(o->how, "self") == 0)
        return connect_to_itself(fd, to);
    if (strcmp(o->how, "retry") == 0)
        return connect_again(fd, o, to);
    if (strncmp(o->how, "tfo_", 4) == 0 && strstr(o->how, "no_cookie"))
        set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
    if (strncmp(o->how, "tfo_connect", 11) == 0) {
        /* connect() returns at once where a cookie is known; the first write sends the SYN. */
        set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
        if (connect(fd, address, address_len(to)))
            return -1;
        ssize_t n = style % 2 ? write(fd, payload, length) : send(fd, payload, length, MSG_NOSIGNAL);
        *sent = n > 0 ? (size_t)n : 0;
        return n < 0 ? -1 : 0;
    }
    if (strncmp(o->how, "tfo_send", 8) == 0) {
        ssize_t n = sendto(fd, payload, length, MSG_FASTOPEN | MSG_NOSIGNAL, address, address_len(to));
        *sent = n > 0 ? (size_t)n : 0;
        return n < 0 ? -1 : 0;
    }
    return connect(fd, address, address_len(to));
}

int dial(const struct options *o, const void *payload, size_t length, size_t *sent, unsigned style)
{
    struct sockaddr_storage to = o->mapped ? address_mapped(&o->to) : o->to;
    int fd = dial_socket(o);
    *sent = 0;
    if (fd < 0)
        return -1;
    if (connect_as_told(fd, o, &to, payload, length, sent, style) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void count_failure(struct tally *tally, const struct options *o, int error)
{
    if (o->unrouted) {
        tally->unseen++;
        return;
    }
    switch (error) {
    case ECONNREFUSED:
        tally->failed[FAIL_REFUSED]++;
        break;
    case ETIMEDOUT:
        tally->failed[FAIL_TIMED_OUT]++;
        break;
    case EHOSTUNREACH:
        tally->failed[FAIL_HOST]++;
        break;
    case ENETUNREACH:
        tally->failed[FAIL_NET]++;
        break;
    case EADDRNOTAVAIL:
        tally->failed[FAIL_ADDRESS]++;
        tally->no_syn++;
        break;
    case EACCES: /* ICMPv6 administratively prohibited */
        tally->failed[FAIL_OTHER]++;
        break;
    default:
        note("connect to port %u: %s", tally->port, strerror(error));
    }
}
