/* SPDX-License-Identifier: Apache-2.0 */
/* connect() through io_uring, with bare system calls: no connect system call is made. */
#include "workload.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<linux/io_uring.h>) && defined(__NR_io_uring_setup)
#include <linux/io_uring.h>
#include <sys/mman.h>

struct ring {
    int fd; /* 0: not made yet, below 0: refused */
    int error;
    uint8_t *submission, *completion;
    struct io_uring_sqe *entries;
    struct io_uring_params params;
};

static void *map(int fd, size_t size, uint64_t offset)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)offset);
    return at == MAP_FAILED ? NULL : at;
}

static struct ring *ring_of_process(void)
{
    static struct ring ring;
    if (ring.fd)
        return &ring;
    struct io_uring_params *p = &ring.params;
    ring.fd = (int)syscall(__NR_io_uring_setup, 4, p);
    if (ring.fd < 0) {
        ring.error = errno;
        return &ring;
    }
    ring.submission = map(ring.fd, p->sq_off.array + p->sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
    ring.completion =
        map(ring.fd, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    ring.entries = map(ring.fd, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    if (!ring.submission || !ring.completion || !ring.entries) {
        ring.fd = -1;
        ring.error = ENOMEM;
    }
    return &ring;
}

int uring_connect(int fd, const struct sockaddr_storage *address)
{
    struct ring *r = ring_of_process();
    if (r->fd < 0) {
        errno = r->error;
        return -1;
    }
    uint32_t *tail = (uint32_t *)(r->submission + r->params.sq_off.tail);
    uint32_t mask = *(uint32_t *)(r->submission + r->params.sq_off.ring_mask);
    uint32_t slot = *tail & mask;
    r->entries[slot] = (struct io_uring_sqe){
        .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)address, .off = address_len(address)};
    ((uint32_t *)(r->submission + r->params.sq_off.array))[slot] = slot;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);

    while (syscall(__NR_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        if (errno != EINTR)
            return -1;

    uint32_t *head = (uint32_t *)(r->completion + r->params.cq_off.head);
    uint32_t completion_mask = *(uint32_t *)(r->completion + r->params.cq_off.ring_mask);
    struct io_uring_cqe *done =
        &((struct io_uring_cqe *)(r->completion + r->params.cq_off.cqes))[*head & completion_mask];
    int result = done->res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    errno = result < 0 ? -result : 0;
    return result < 0 ? -1 : 0;
}
#else
int uring_connect(int fd, const struct sockaddr_storage *address)
{
    (void)fd;
    (void)address;
    errno = ENOSYS;
    return -1;
}
#endif
