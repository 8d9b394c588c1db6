/* SPDX-License-Identifier: Apache-2.0 */
/* Many connects at once: those that wait for the network, and those that the program gives up. */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#define ATTEMPTS 4096

static struct pollfd pending[ATTEMPTS];

/* Starts `count` connects; those that fail at once are counted here. The number that wait. */
static unsigned start_all(const struct options *o, struct tally *tally)
{
    struct sockaddr_storage to = o->mapped ? address_mapped(&o->to) : o->to;
    unsigned waiting = 0;
    for (unsigned i = 0; i < o->count && i < ATTEMPTS; i++) {
        int fd = dial_socket(o);
        if (fd < 0)
            continue;
        if (strcmp(o->how, "abort_unsent") == 0)
            set_int(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        if (connect(fd, (struct sockaddr *)&to, address_len(&to)) && errno != EINPROGRESS) {
            count_failure(tally, o, errno);
            close(fd);
            continue;
        }
        pending[waiting++] = (struct pollfd){.fd = fd, .events = POLLOUT};
    }
    return waiting;
}

/* The attempt is over. True: it is established. */
static bool settle(const struct options *o, struct tally *tally, int fd)
{
    int error = socket_error(fd);
    if (!error)
        return true;
    usleep(1000); /* the error shows a moment before the state that goes with it */
    count_failure(tally, o, error);
    if (in_handshake(fd)) /* an ICMP error came while connect() held the socket: only the application ends it */
        tally->soft++;
    close(fd);
    return false;
}

static void use(const struct options *o, struct tally *tally, int fd, unsigned style)
{
    uint32_t base = total_retrans(fd);
    fcntl(fd, F_SETFL, 0);
    tally->opened++;
    tally->open++;
    if (o->end != END_UNACCEPTED && !exchange(fd, tally, o->end, o->up, o->down, style))
        return;
    if (o->end == END_MORE || o->end == END_KEEPALIVE || o->end == END_UNACCEPTED)
        hold_keep(fd, tally, base);
    else
        finish(fd, tally, o->end);
}

/*
 * Nothing is written before all are settled: data that overtakes the handshake's last ACK on another CPU makes the
 * server's kernel clone the listener twice, and count PassiveOpens twice, for one connection.
 */
void attempts_batch(const struct options *o)
{
    static int established[ATTEMPTS];
    struct tally *tally = destination(o);
    bool patient = strcmp(o->how, "batch_patient") == 0;
    unsigned waiting = start_all(o, tally), ready = 0;
    uint64_t deadline = now_ms() + (o->wait_ms ? o->wait_ms : 20000);
    while (waiting > 0 && now_ms() < deadline) {
        if (poll(pending, waiting, 100) > 0 && patient)
            usleep(5000); /* POLLERR alone is reported for as long as it lasts */
        for (unsigned i = 0; i < waiting;) {
            if (!(pending[i].revents & (patient ? POLLOUT | POLLHUP : -1))) {
                i++;
                continue;
            }
            if (settle(o, tally, pending[i].fd))
                established[ready++] = pending[i].fd;
            pending[i] = pending[--waiting];
        }
    }
    if (waiting > 0)
        note("%u connects to port %u without an answer", waiting, tally->port);
    for (unsigned i = 0; i < ready; i++)
        use(o, tally, established[i], i);
}

static void give_up(const struct options *o, int fd)
{
    if (strcmp(o->how, "abort_unspec") == 0)
        connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr));
    else if (strcmp(o->how, "abort_shutdown") == 0)
        shutdown(fd, SHUT_RDWR);
    else if (strcmp(o->how, "abort_linger") == 0)
        reset_on_close(fd);
    close(fd);
}

/* Blocking connects that SO_SNDTIMEO ends. */
static void abort_by_timeout(const struct options *o, struct tally *tally)
{
    struct timeval after = {.tv_usec = o->wait_ms * 1000};
    for (unsigned i = 0; i < o->count; i++) {
        int fd = dial_socket(o);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &after, sizeof after);
        if (connect(fd, (const struct sockaddr *)&o->to, address_len(&o->to)) == 0 || errno != EINPROGRESS)
            note("connect to port %u should not have ended: %s", tally->port, strerror(errno));
        close(fd);
        tally->failed[FAIL_ABORTED]++;
    }
}

void attempts_abort(const struct options *o)
{
    struct tally *tally = destination(o);
    if (strcmp(o->how, "abort_sndtimeo") == 0) {
        abort_by_timeout(o, tally);
        return;
    }
    bool exits = strcmp(o->how, "abort_exit") == 0, unsent = strcmp(o->how, "abort_unsent") == 0;
    pid_t child = exits ? fork() : 0;
    if (child == 0) {
        unsigned waiting = start_all(o, tally);
        usleep(o->wait_ms * 1000);
        tally->failed[FAIL_ABORTED] += waiting;
        if (unsent)
            tally->no_syn += waiting;
        if (exits)
            _exit(0);
        for (unsigned i = 0; i < waiting; i++)
            give_up(o, pending[i].fd);
    }
    if (exits)
        waitpid(child, NULL, 0);
}
