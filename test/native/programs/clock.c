// SPDX-License-Identifier: Apache-2.0
// Preloaded into a process: a realtime clock that a test sets, as if it had been set for the whole machine. The kernel's
// receive stamps follow it. The file that CLOCK_SHIFT names holds by how many nanoseconds (8 bytes, native order).
//
//   cc -shared -fPIC -o clock.so clock.c
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;

__attribute__((constructor)) static void start(void)
{
    int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);
    shift = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
    if (shift == MAP_FAILED) abort();
}

static void move(struct timespec *t)
{
    int64_t ns = t->tv_sec * 1000000000LL + t->tv_nsec + *shift;
    t->tv_sec = ns / 1000000000;
    t->tv_nsec = ns % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int result = (int)syscall(SYS_clock_gettime, clock, t);
    if (clock == CLOCK_REALTIME && shift) move(t);
    return result;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int received = (int)syscall(SYS_recvmmsg, fd, messages, count, flags, timeout);
    for (int i = 0; i < received; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            move(&stamp);
            memcpy(CMSG_DATA(c), &stamp, sizeof stamp);
        }
    }
    return received;
}
