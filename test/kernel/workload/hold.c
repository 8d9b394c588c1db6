/* SPDX-License-Identifier: Apache-2.0 */
/* The client's connections that stay open between commands. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELD 8192

static struct held {
    int fd;
    struct tally *tally;
    uint32_t retrans_base; /* when it was established */
    uint32_t retrans_seen; /* of data, tallied already */
    struct tally own;      /* what its thread counted */
    const struct options *options;
    uint64_t deadline_ms;
} held[HELD];
static unsigned count;

void hold_keep(int fd, struct tally *tally, uint32_t retrans_base)
{
    if (count == HELD) {
        note("more than %d connections held", HELD);
        close(fd);
        return;
    }
    held[count++] = (struct held){.fd = fd, .tally = tally, .retrans_base = retrans_base};
    tally->retrans_handshake += retrans_base;
    /* Else a request in two writes waits for a delayed ACK. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* The kernel's own count of each, into the tallies. Once all is acknowledged it is final. */
void hold_observe(void)
{
    for (unsigned i = 0; i < count; i++) {
        struct held *h = &held[i];
        uint32_t data = total_retrans(h->fd) - h->retrans_base;
        h->tally->retrans_data += data - h->retrans_seen;
        h->retrans_seen = data;
    }
}

static void *keep_exchanging(void *argument)
{
    struct held *h = argument;
    h->own.port = h->tally->port;
    for (unsigned style = 0; now_ms() < h->deadline_ms; style++)
        if (!exchange(h->fd, &h->own, END_MORE, h->options->up, h->options->down, style))
            break;
    return NULL;
}

/* One exchange on each; with for_ms, on all at the same time until the time is over. */
void hold_exchange(const struct options *o)
{
    static pthread_t threads[HELD];
    if (!o->for_ms) {
        for (unsigned i = 0; i < count; i++)
            exchange(held[i].fd, held[i].tally, END_MORE, o->up, o->down, i);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        held[i].own = (struct tally){0};
        held[i].options = o;
        held[i].deadline_ms = now_ms() + o->for_ms;
        if (pthread_create(&threads[i], NULL, keep_exchanging, &held[i])) {
            note("pthread_create: %s", strerror(errno));
            exit(1);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        held[i].tally->sent += held[i].own.sent;
        held[i].tally->received += held[i].own.received;
    }
}

/* Writes what nobody acknowledges, until TCP_USER_TIMEOUT breaks each connection. */
void hold_stall(const struct options *o)
{
    for (unsigned i = 0; i < count; i++) {
        set_int(held[i].fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)o->user_timeout_ms);
        send_all(held[i].fd, body(), o->up, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        struct pollfd p = {.fd = held[i].fd};
        int error = poll(&p, 1, 20000) == 1 ? socket_error(p.fd) : 0;
        if (error != ETIMEDOUT)
            note("expected ETIMEDOUT, port %u: %s", held[i].tally->port, strerror(error));
        held[i].tally->broken[BROKEN_TIMED_OUT]++;
        held[i].tally->open--;
        close(held[i].fd);
    }
    count = 0;
}

/* Ends all that are held: by a last exchange, or (END_MORE) by a plain close, or as the server ended them. */
void hold_end(const struct options *o)
{
    hold_observe();
    for (unsigned i = 0; i < count; i++) {
        struct held *h = &held[i];
        if (o->end == END_MORE || o->end == END_UNACCEPTED ||
            exchange(h->fd, h->tally, o->end, o->up, o->down, i))
            finish(h->fd, h->tally, o->end);
    }
    count = 0;
}
