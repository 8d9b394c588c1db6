// SPDX-License-Identifier: Apache-2.0
// The yardstick's user side: counts openings and ends in a hash by cgroup and destination until its standard input is
// closed. Prints "ready" once it is attached; at its end JSON: changes read and lost, its own CPU seconds.
//
//   yardstick OBJECT
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "yardstick.h"

#define SLOTS 65536
enum { ESTABLISHED = 1, CLOSE = 7 };

struct row {
    __u64 cgroup_id;
    __u8 address[16];
    __u32 port;
    __u32 used;
    __u64 opened, closed, changes;
};

static struct row rows[SLOTS];
static unsigned long long changes;

static struct row *find(const struct change *c)
{
    __u64 words[2];
    memcpy(words, c->remote, sizeof words);
    __u64 hash = (c->cgroup_id ^ words[0] ^ words[1] ^ c->remote_port) * 0x9e3779b97f4a7c15ull;
    for (unsigned i = hash >> 48;; i = (i + 1) % SLOTS) {
        struct row *r = &rows[i];
        if (r->used && r->cgroup_id == c->cgroup_id && r->port == c->remote_port && !memcmp(r->address, c->remote, 16))
            return r;
        if (r->used) continue;
        r->used = 1;
        r->cgroup_id = c->cgroup_id;
        r->port = c->remote_port;
        memcpy(r->address, c->remote, 16);
        return r;
    }
}

static int on_change(void *context, void *data, size_t size)
{
    const struct change *c = data;
    // An accepted connection's peer has a port of its own: counted by its address alone, or the table would fill.
    struct change inbound = *c;
    if (c->remote_port >= 32768) inbound.remote_port = 0;
    struct row *r = find(&inbound);
    r->changes++;
    if (c->new_state == ESTABLISHED) r->opened++;
    if (c->new_state == CLOSE) r->closed++;
    changes++;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
    if (!object || bpf_object__load(object)) return 1;
    struct bpf_program *program = bpf_object__find_program_by_name(object, "inet_sock_set_state");
    struct ring_buffer *ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), on_change, NULL, NULL);
    if (!program || !ring || !bpf_program__attach(program)) return 1;
    puts("ready");
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (poll(&input, 1, 0) == 0) {
        if (ring_buffer__poll(ring, 100) < 0 && errno != EINTR) return 1;
        ring_buffer__consume(ring);
    }
    ring_buffer__consume(ring);
    unsigned zero = 0;
    unsigned long long lost = 0;
    bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(object, ".bss"), &zero, &lost);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"changes\":%llu,\"lost\":%llu,\"cpuSeconds\":%.6f}\n", changes, lost,
           usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    return 0;
}
