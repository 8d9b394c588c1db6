/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same bytes through every system call that carries them: a program that counts in
 * read() and write() hooks sees some of these, the kernel's tcp_sock sees all.
 */
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

static uint8_t out[BODY_MAX];
static __thread uint8_t in[64 * 1024];

const uint8_t *body(void)
{
    return out;
}

static int body_file(void)
{
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("body", MFD_CLOEXEC);
        if (fd < 0 || ftruncate(fd, BODY_MAX))
            abort();
    }
    return fd;
}

static __thread int fds[2] = {-1, -1};

/* What a broken connection left in the pipe must not go to the next one. */
static ssize_t drop_pipe(void)
{
    int error = errno;
    close(fds[0]);
    close(fds[1]);
    fds[0] = -1;
    errno = error;
    return -1;
}

static int *pipe_pair(void)
{
    if (fds[0] < 0 && pipe2(fds, O_CLOEXEC))
        abort();
    return fds;
}

/* Two halves in one call. */
static ssize_t send_message(int fd, const uint8_t *p, size_t n, bool many)
{
    struct iovec parts[2] = {{(void *)p, n / 2}, {(void *)(p + n / 2), n - n / 2}};
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = &parts[1], .msg_iovlen = 1}}};
    if (!many)
        return sendmsg(fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_NOSIGNAL);
    if (n < 2)
        return send(fd, p, n, MSG_NOSIGNAL);
    int sent = sendmmsg(fd, messages, 2, MSG_NOSIGNAL);
    if (sent < 0)
        return -1;
    return (ssize_t)messages[0].msg_len + (sent > 1 ? (ssize_t)messages[1].msg_len : 0);
}

static ssize_t send_spliced(int fd, const uint8_t *p, size_t n)
{
    ssize_t filled = write(pipe_pair()[1], p, n < 4096 ? n : 4096);
    for (ssize_t done = 0; done < filled;) {
        ssize_t moved = splice(fds[0], NULL, fd, NULL, (size_t)(filled - done), 0);
        if (moved <= 0)
            return drop_pipe();
        done += moved;
    }
    return filled;
}

static ssize_t send_some(int fd, const uint8_t *p, size_t n, unsigned style)
{
    struct iovec parts[2] = {{(void *)p, n / 3}, {(void *)(p + n / 3), n - n / 3}};
    off_t offset = 0;
    switch (style % 7) {
    case 0:
        return write(fd, p, n);
    case 1:
        return writev(fd, parts, 2);
    case 2:
        return send(fd, p, n, MSG_NOSIGNAL);
    case 3:
        return send_message(fd, p, n, false);
    case 4:
        return send_message(fd, p, n, true);
    case 5:
        return p >= out && p < out + BODY_MAX ? sendfile(fd, body_file(), &offset, n) : write(fd, p, n);
    default:
        return send_spliced(fd, p, n);
    }
}

bool send_all(int fd, const void *buffer, size_t length, unsigned style)
{
    for (const uint8_t *p = buffer; length > 0;) {
        ssize_t n = send_some(fd, p, length, style);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        length -= (size_t)n;
    }
    return true;
}

static ssize_t receive_spliced(int fd, size_t n)
{
    ssize_t moved = splice(fd, NULL, pipe_pair()[1], NULL, n < 4096 ? n : 4096, 0);
    for (ssize_t left = moved; left > 0;) {
        ssize_t drained = read(fds[0], in, (size_t)left);
        if (drained <= 0)
            return -1;
        left -= drained;
    }
    return moved;
}

static ssize_t receive_some(int fd, size_t n, unsigned style)
{
    size_t most = n < sizeof in ? n : sizeof in;
    struct iovec parts[2] = {{in, most / 2}, {in + most / 2, most - most / 2}};
    switch (style % 6) {
    case 0:
        return read(fd, in, most);
    case 1:
        return readv(fd, parts, 2);
    case 2:
        return recv(fd, in, most, MSG_WAITALL);
    case 3:
        return recvmsg(fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, 0);
    case 4: /* looks first, then throws away without a copy */
        if (recv(fd, in, 1, MSG_PEEK) < 0)
            return -1;
        return recv(fd, NULL, most, MSG_TRUNC);
    default:
        return receive_spliced(fd, n);
    }
}

bool receive_all(int fd, size_t length, unsigned style)
{
    while (length > 0) {
        ssize_t n = receive_some(fd, length, style);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = 0;
            return false;
        }
        length -= (size_t)n;
    }
    return true;
}

bool receive_eof(int fd)
{
    return read(fd, in, 1) == 0;
}
