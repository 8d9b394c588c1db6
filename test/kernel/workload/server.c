/* SPDX-License-Identifier: Apache-2.0 */
/* An event loop that serves requests on any number of listeners, and commands on standard input. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define BACKLOG 4096

enum step { LISTEN, LISTEN_IDLE, COMMANDS, HEAD, UP, WAIT_FIN, DOWN, WAIT_ACKED, WAIT_EXTRA, WAIT_END, WAIT_RESET };

struct connection {
    int fd;
    enum step step;
    uint16_t port; /* of the listener */
    bool shut;     /* this end sent a FIN: what follows breaks nothing */
    struct sockaddr_storage local; /* LISTEN_IDLE: where its connections arrive */
    struct tally *tally;
    struct request request;
    size_t done; /* of this step, bytes */
    uint32_t retrans_base, retrans_seen;
    struct connection *next, *previous;
};

static int epoll_fd;
static struct connection all = {.next = &all, .previous = &all};
static unsigned polled; /* connections whose step waits for an amount, which no event announces */

static struct connection *add(int fd, enum step step)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->fd = fd;
    c->step = step;
    c->next = all.next;
    c->previous = &all;
    all.next->previous = c;
    all.next = c;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
    return c;
}

/* 0: only errors and hang-ups, which are always reported. */
static void want(struct connection *c, uint32_t events)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = events, .data.ptr = c});
}

static void observe(struct connection *c)
{
    uint32_t data = total_retrans(c->fd) - c->retrans_base;
    c->tally->retrans_data += data - c->retrans_seen;
    c->retrans_seen = data;
}

static void end(struct connection *c)
{
    observe(c);
    if (!c->shut)
        c->tally->open--;
    if (c->step == WAIT_ACKED || c->step == WAIT_EXTRA)
        polled--;
    close(c->fd);
    c->previous->next = c->next;
    c->next->previous = c->previous;
    free(c);
}

static void end_broken(struct connection *c, enum broken how)
{
    if (!c->shut)
        c->tally->broken[how]++;
    end(c);
}

static void failed(struct connection *c, int error)
{
    if (error != ECONNRESET && error != EPIPE && error != ETIMEDOUT)
        note("server, port %u, step %d: %s", c->port, c->step, strerror(error));
    end_broken(c, error == ETIMEDOUT ? BROKEN_TIMED_OUT : BROKEN_RESET);
}

static void accept_all(struct connection *listener)
{
    for (;;) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct sockaddr_storage local = {0};
        socklen_t length = sizeof local;
        getsockname(fd, (struct sockaddr *)&local, &length);
        struct connection *c = add(fd, HEAD);
        c->port = listener->port;
        c->tally = tally_of(false, &local, listener->port);
        c->retrans_base = total_retrans(fd);
        c->tally->retrans_handshake += c->retrans_base;
        c->tally->opened++;
        c->tally->open++;
    }
}

static void keepalive(int fd)
{
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, 1);
}

static void poll_for(struct connection *c, enum step step)
{
    c->step = step;
    want(c, 0);
    polled++;
}

/* The reply is written: the server's part of the end. False: the connection is no more. */
static bool after_reply(struct connection *c)
{
    c->done = 0;
    c->step = HEAD;
    switch (c->request.end) {
    case END_SERVER_FIN:
    case END_HALF:
        end(c);
        return false;
    case END_SERVER_HALF:
        shutdown(c->fd, SHUT_WR);
        c->shut = true;
        c->tally->open--;
        c->step = WAIT_END;
        break;
    case END_SERVER_RST:
        poll_for(c, WAIT_ACKED);
        break;
    case END_SERVER_UNREAD:
        poll_for(c, WAIT_EXTRA);
        break;
    case END_SERVER_HALF_RST:
    case END_CLIENT_HALF_RST:
        c->step = WAIT_FIN;
        break;
    case END_KEEPALIVE:
        keepalive(c->fd);
        break;
    default:
        break;
    }
    return true;
}

/* End of file. False: the connection is no more. */
static bool finished(struct connection *c)
{
    if (c->step == WAIT_FIN && c->request.end == END_HALF) {
        c->step = DOWN;
        return true;
    }
    if (c->step == WAIT_FIN && c->request.end == END_SERVER_HALF_RST) {
        reset_on_close(c->fd);
        end_broken(c, BROKEN_ABORTED);
        return false;
    }
    if (c->step == WAIT_FIN) {
        c->step = WAIT_RESET;
        want(c, 0);
        return true;
    }
    if (c->step != WAIT_END && (c->step != HEAD || c->done > 0))
        note("server, port %u: end of file in step %d", c->port, c->step);
    end(c);
    return false;
}

/* What a read or a write brought. False: nothing more to do for now, or the connection is no more. */
static bool advance(struct connection *c, size_t n)
{
    c->done += n;
    if (c->step == HEAD && c->done == sizeof c->request) {
        if (c->request.magic != REQUEST_MAGIC || c->request.up > BODY_MAX || c->request.down > BODY_MAX) {
            note("server, port %u: not a request", c->port);
            end(c);
            return false;
        }
        c->done = 0;
        c->step = UP;
    }
    if (c->step == UP && c->done == c->request.up) {
        c->done = 0;
        c->tally->received += sizeof c->request + c->request.up;
        c->step = c->request.end == END_HALF ? WAIT_FIN : DOWN;
    } else if (c->step == DOWN && c->done == c->request.down) {
        c->tally->sent += c->request.down;
        return after_reply(c);
    }
    return true;
}

static ssize_t transfer(struct connection *c)
{
    static uint8_t in[64 * 1024];
    size_t left;
    switch (c->step) {
    case HEAD:
        return read(c->fd, (uint8_t *)&c->request + c->done, sizeof c->request - c->done);
    case UP:
        left = c->request.up - c->done;
        return read(c->fd, in, left < sizeof in ? left : sizeof in);
    case DOWN:
        return send(c->fd, body(), c->request.down - c->done, MSG_NOSIGNAL);
    default:
        return read(c->fd, in, 1);
    }
}

static void serve(struct connection *c)
{
    for (;;) {
        if (c->step == WAIT_ACKED || c->step == WAIT_EXTRA)
            return;
        ssize_t n = transfer(c);
        if (n < 0 && errno == EAGAIN) {
            want(c, c->step == DOWN ? EPOLLOUT : EPOLLIN);
            return;
        }
        if (n < 0) {
            failed(c, errno);
            return;
        }
        if (n == 0 ? !finished(c) : !advance(c, (size_t)n))
            return;
        if (c->step == WAIT_RESET)
            return;
    }
}

static void check_amount(struct connection *c)
{
    if (c->step == WAIT_ACKED && unacked(c->fd) == 0) {
        reset_on_close(c->fd);
        end_broken(c, BROKEN_ABORTED);
    } else if (c->step == WAIT_EXTRA && readable(c->fd) == (int)c->request.extra) {
        c->tally->received += c->request.extra;
        end_broken(c, BROKEN_ABORTED);
    }
}

static bool listen_on(const struct options *o)
{
    struct sockaddr_storage any = o->to;
    socklen_t length = sizeof any;
    if (o->family) {
        any = (struct sockaddr_storage){.ss_family = o->family == 4 ? AF_INET : AF_INET6};
        set_port(&any, (uint16_t)o->port);
    }
    for (unsigned i = 0; i < o->copies; i++) {
        int fd = socket(any.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, o->mptcp ? IPPROTO_MPTCP : 0);
        if (fd < 0)
            return false;
        set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        if (o->copies > 1)
            set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
        if (any.ss_family == AF_INET6)
            set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, o->family == 6);
        if (o->tfo)
            set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, BACKLOG);
        if (bind(fd, (struct sockaddr *)&any, address_len(&any)) || listen(fd, BACKLOG))
            return false;
        getsockname(fd, (struct sockaddr *)&any, &length);
        struct connection *c = add(fd, o->idle ? LISTEN_IDLE : LISTEN);
        c->port = ntohs(((struct sockaddr_in *)&any)->sin_port);
        if (o->idle) {
            c->local = o->to;
            want(c, 0);
        }
    }
    printf("{\"port\":%u}\n", ntohs(((struct sockaddr_in *)&any)->sin_port));
    fflush(stdout);
    return true;
}

/* Connections that completed their handshakes and were never accepted: closing the listener resets them. */
static void count_unaccepted(const struct connection *listener)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    struct tally *tally = tally_of(false, &listener->local, listener->port);
    getsockopt(listener->fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    tally->opened += info.tcpi_unacked; /* of a listener: the length of its accept queue */
    tally->broken[BROKEN_ABORTED] += info.tcpi_unacked;
}

/* Closes what belongs to one port: its connections, or its idle listener. */
static void close_port(const struct options *o)
{
    for (struct connection *c = all.next, *next; next = c->next, c != &all; c = next) {
        if (c->port != o->port || c->step == LISTEN)
            continue;
        if (c->step != LISTEN_IDLE) {
            end(c);
            continue;
        }
        count_unaccepted(c);
        close(c->fd);
        c->previous->next = next;
        next->previous = c->previous;
        free(c);
    }
}

static void command(void)
{
    static char line[512];
    char name[24];
    struct options o;
    if (!fgets(line, sizeof line, stdin))
        exit(0);
    bool understood = options_parse(line, name, sizeof name, &o);
    if (understood && strcmp(name, "listen") == 0) {
        if (listen_on(&o))
            return;
        printf("{\"error\":\"listen: %s\"}\n", strerror(errno));
        fflush(stdout);
        return;
    }
    if (understood && strcmp(name, "close") == 0)
        close_port(&o);
    for (struct connection *c = all.next; c != &all; c = c->next)
        if (c->tally)
            observe(c);
    tally_report();
}

int server_run(void)
{
    struct epoll_event events[256];
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    setvbuf(stdin, NULL, _IONBF, 0);
    add(STDIN_FILENO, COMMANDS);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 256, polled ? 1 : -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->step == COMMANDS) {
                command();
                break; /* it may have ended connections that are in `events` */
            }
            if (c->step == LISTEN)
                accept_all(c);
            else if (c->step == WAIT_RESET)
                failed(c, socket_error(c->fd));
            else
                serve(c);
        }
        if (polled)
            for (struct connection *c = all.next, *next; next = c->next, c != &all; c = next)
                check_amount(c);
    }
}
