// SPDX-License-Identifier: GPL-2.0-only
// Puts given records into the tracer's ring. See inject.c.
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "bpf/events.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 * 1024 * 1024);
} ring SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 8192);
    __type(key, __u32);
    __type(value, struct nv_conn);
} records SEC(".maps");

struct inject {
    __u64 count;
    __u64 done; // out
};

static long one(__u32 i, void *context)
{
    struct nv_conn *from = bpf_map_lookup_elem(&records, &i);
    struct nv_conn *to = bpf_ringbuf_reserve(&ring, sizeof(*to), 0);
    if (!to) return 1;
    if (from) *to = *from;
    bpf_ringbuf_submit(to, BPF_RB_NO_WAKEUP);
    ((struct inject *)context)->done++;
    return 0;
}

SEC("syscall")
int inject(struct inject *context)
{
    struct inject in = *context;
    in.done = 0;
    bpf_loop(in.count, one, &in, 0);
    context->done = in.done;
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
