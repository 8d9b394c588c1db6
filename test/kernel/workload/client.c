/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct tally *destination(const struct options *o)
{
    return tally_of(true, &o->to, ntohs(((const struct sockaddr_in *)&o->to)->sin_port));
}

static size_t request_payload(uint8_t *payload, enum end end, unsigned up, unsigned down)
{
    struct request request = {.magic = REQUEST_MAGIC,
                              .end = end,
                              .up = up,
                              .down = down,
                              .extra = end == END_SERVER_UNREAD ? EXTRA_BYTES : 0};
    memcpy(payload, &request, sizeof request);
    memcpy(payload + sizeof request, body(), up);
    return sizeof request + up;
}

static bool lost(const char *what, const struct tally *tally, enum end end)
{
    note("%s, port %u, end %s: %s", what, tally->port, end_names[end], errno ? strerror(errno) : "end of file");
    return false;
}

/* The reply, which confirms the request; in END_CLIENT_UNREAD it is left where it is. */
static bool reply(int fd, struct tally *tally, enum end end, size_t length, unsigned down, unsigned style)
{
    if (end == END_CLIENT_UNREAD ? !wait_amount(readable, fd, (int)down) : !receive_all(fd, down, style))
        return lost("reply", tally, end);
    tally->sent += length;
    tally->received += down;
    return true;
}

bool exchange(int fd, struct tally *tally, enum end end, unsigned up, unsigned down, unsigned style)
{
    struct request request;
    uint8_t head[sizeof request];
    request_payload(head, end, 0, down);
    memcpy(&request, head, sizeof request);
    request.up = up;
    if (!send_all(fd, &request, sizeof request, style) || !send_all(fd, body(), up, style))
        return lost("request", tally, end);
    if (end == END_HALF && shutdown(fd, SHUT_WR))
        return lost("shutdown", tally, end);
    return reply(fd, tally, end, sizeof request + up, down, style);
}

static void expect_reset(int fd, struct tally *tally, enum end end)
{
    char byte;
    if (read(fd, &byte, 1) >= 0 || errno != ECONNRESET)
        lost("expected a reset", tally, end);
}

void finish(int fd, struct tally *tally, enum end end)
{
    tally->open--;
    switch (end) {
    case END_SERVER_FIN:
    case END_HALF:
    case END_SERVER_HALF:
        if (!receive_eof(fd))
            lost("expected the end", tally, end);
        break;
    case END_CLIENT_RST:
        ack_now(fd);
        reset_on_close(fd);
        tally->broken[BROKEN_ABORTED]++;
        break;
    case END_CLIENT_UNREAD:
        ack_now(fd);
        tally->broken[BROKEN_ABORTED]++;
        break;
    case END_CLIENT_UNSPEC:
        ack_now(fd);
        if (connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)))
            lost("disconnect", tally, end);
        tally->broken[BROKEN_ABORTED]++;
        break;
    case END_SERVER_UNREAD:
        ack_now(fd);
        send_all(fd, body(), EXTRA_BYTES, 0);
        expect_reset(fd, tally, end);
        /* The ACK is delayed while they are unread, and a reset's own acknowledgement number does not count. */
        tally->sent += EXTRA_BYTES - (unsigned)unacked(fd);
        tally->broken[BROKEN_RESET]++;
        break;
    case END_UNACCEPTED:
    case END_SERVER_RST:
        ack_now(fd);
        expect_reset(fd, tally, end);
        tally->broken[BROKEN_RESET]++;
        break;
    case END_CLIENT_HALF_RST: /* FIN_WAIT2 here: the reset breaks the server's side only */
        ack_now(fd);
        shutdown(fd, SHUT_WR);
        if (!wait_amount(unacked, fd, 0))
            lost("FIN not acknowledged", tally, end);
        reset_on_close(fd);
        break;
    case END_SERVER_HALF_RST:
        ack_now(fd);
        shutdown(fd, SHUT_WR);
        expect_reset(fd, tally, end);
        break;
    default:
        break;
    }
    close(fd);
}

/* A socket connected to itself answers what it asked. */
static void talk_to_itself(const struct options *o, int fd, struct tally *tally, unsigned style)
{
    if (!send_all(fd, body(), o->up, style) || !receive_all(fd, o->up, style))
        lost("itself", tally, o->end);
    tally->sent += o->up;
    tally->received += o->up;
    tally->open--;
    close(fd);
}

static bool arrives(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK) >= 0;
}

/* A dialled socket's whole life; `sent` bytes of payload have gone with the SYN. */
static void converse(const struct options *o, int fd, struct tally *tally, const uint8_t *payload, size_t length,
                     size_t sent, unsigned style)
{
    uint32_t base = total_retrans(fd);
    if (strcmp(o->how, "self") == 0) {
        talk_to_itself(o, fd, tally, style);
        return;
    }
    if (!send_all(fd, payload + sent, length - sent, style)) {
        lost("request", tally, o->end);
    } else if (o->end == END_HALF && shutdown(fd, SHUT_WR)) {
        lost("shutdown", tally, o->end);
    } else if (sent > 0 && !arrives(fd)) { /* Fast Open: the answer to the SYN comes with the first read */
        tally->opened--;
        count_failure(tally, o, errno);
    } else if (reply(fd, tally, o->end, length, o->down, style)) {
        if (o->end == END_MORE || o->end == END_KEEPALIVE) {
            hold_keep(fd, tally, base);
            return;
        }
        tally->retrans_handshake += base;
        tally->retrans_data += total_retrans(fd) - base;
        finish(fd, tally, o->end);
        return;
    }
    tally->open--;
    close(fd);
}

static int send_over(int pair[2], int fd)
{
    char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (sendmsg(pair[0], &message, 0) < 0)
        return -1;
    close(fd);
    if (recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) < 0)
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

/* The same socket under another descriptor: what tracks descriptors loses it here. */
static int hand_over(const struct options *o, int fd)
{
    static int pair[2] = {-1, -1};
    if (strcmp(o->fd, "dup") == 0) {
        int copy = dup(fd), target = dup(fd);
        close(fd);
        dup2(copy, target);
        close(copy);
        return target;
    }
    if (strcmp(o->fd, "scm") == 0) {
        if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            return -1;
        return send_over(pair, fd);
    }
    return fd;
}

static void one_connection(const struct options *o, struct tally *tally, unsigned style)
{
    static uint8_t payload[BODY_MAX];
    size_t sent, length = request_payload(payload, o->end, o->up, o->down);
    int fd = dial(o, payload, length, &sent, style);
    if (fd < 0) {
        count_failure(tally, o, errno);
        return;
    }
    tally->opened++;
    tally->open++;
    fd = hand_over(o, fd);
    if (strcmp(o->fd, "fork") == 0) {
        pid_t child = fork();
        if (child == 0) {
            converse(o, fd, tally, payload, length, sent, style);
            _exit(0);
        }
        waitpid(child, NULL, 0);
        close(fd); /* the last one */
        return;
    }
    converse(o, fd, tally, payload, length, sent, style);
}

/* All connections in a child that exits with them open. */
static void exit_with_all(const struct options *o, struct tally *tally)
{
    int64_t open = tally->open;
    pid_t child = fork();
    if (child == 0) {
        for (unsigned i = 0; i < o->count; i++)
            one_connection(o, tally, i);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    tally->open = open;
}

int client_child(const struct options *o)
{
    struct tally *tally = destination(o);
    one_connection(o, tally, 0);
    return tally->opened == 1 && tally->received == o->down ? 0 : 1;
}

/* One program a connection, as shell scripts and health checks do: each lives a few milliseconds. */
static void exec_children(const struct options *o, struct tally *tally)
{
    char words[sizeof o->words];
    snprintf(words, sizeof words, "%s", o->words);
    char *arguments[] = {"workload", "child", words, NULL};
    unsigned started = 0, running = 0;
    while (started < o->count || running > 0) {
        pid_t pid;
        int status;
        if (started < o->count && running < o->parallel) {
            if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ)) {
                note("posix_spawn: %s", strerror(errno));
                return;
            }
            started++;
            running++;
            continue;
        }
        if (wait(&status) < 0)
            return;
        running--;
        if (!WIFEXITED(status) || WEXITSTATUS(status)) {
            note("a child failed with status %d", status);
            continue;
        }
        tally->opened++;
        tally->sent += sizeof(struct request) + o->up;
        tally->received += o->down;
    }
}

void client_connect(const struct options *o)
{
    struct tally *tally = destination(o);
    if (strcmp(o->fd, "exit") == 0)
        exit_with_all(o, tally);
    else if (strcmp(o->fd, "exec") == 0)
        exec_children(o, tally);
    else
        for (unsigned i = 0; i < o->count; i++)
            one_connection(o, tally, i);
}
