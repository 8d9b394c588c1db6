// SPDX-License-Identifier: GPL-2.0-only
// Fills the tracer's ring with synthetic ends and retransmits, as fast as the kernel can.
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include "bpf/events.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 * 1024 * 1024);
} ring SEC(".maps");

#define MAX_CGROUPS 256
__u64 cgroup_ids[MAX_CGROUPS];

// In: how many connections, the number of the first, to how many destinations of each of how many cgroups they go.
struct fill {
    __u64 connections;
    __u64 first;
    __u64 destinations;
    __u64 cgroups;
    __u64 retransmits; // of each connection: none or one
    __u64 filled; // out: connections that fitted
};

static struct nv_conn *record(__u32 kind, __u64 n, const struct fill *f)
{
    struct nv_conn *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);
    if (!r) return 0;
    __builtin_memset(r, 0, sizeof(*r));
    r->kind = kind;
    r->netns = 1;
    r->id = (f->retransmits ? 1ull << 50 : 1ull << 51) + n; // above the ids of this host's CPUs
    r->cgroup_id = cgroup_ids[n / f->destinations % f->cgroups & (MAX_CGROUPS - 1)];
    r->connect_ns = 1000000;
    r->direction = NV_OUTBOUND;
    r->family = 4;
    r->state = 1;
    r->flags = NV_ESTABLISHED;
    r->remote_port = 80;
    r->local_port = 40000;
    __u32 d = n % f->destinations;
    r->remote[0] = 10;
    r->remote[1] = d >> 16;
    r->remote[2] = d >> 8;
    r->remote[3] = d;
    if (kind == NV_END) {
        r->state = 7;
        r->bytes_sent = 100;
        r->bytes_received = 1000;
        r->segments_sent = 2;
        r->retrans_data = n % 100 == 0;
        r->srtt_us = 250;
    }
    return r;
}

static long one(__u32 i, void *context)
{
    struct fill *f = context;
    struct nv_conn *first = 0;
    if (f->retransmits && !(first = record(NV_RETRANS, f->first + i, f))) return 1;
    struct nv_conn *end = record(NV_END, f->first + i, f);
    if (!end) {
        if (first) bpf_ringbuf_discard(first, BPF_RB_NO_WAKEUP);
        return 1;
    }
    if (first) bpf_ringbuf_submit(first, BPF_RB_NO_WAKEUP);
    bpf_ringbuf_submit(end, BPF_RB_NO_WAKEUP);
    f->filled++;
    return 0;
}

SEC("syscall")
int fill(struct fill *context)
{
    struct fill f = *context;
    f.filled = 0;
    bpf_loop(f.connections, one, &f, 0);
    context->filled = f.filled;
    // One wake-up a call, as the tracer's own programs give one a full enough ring.
    struct nv_conn *last = bpf_ringbuf_reserve(&ring, 8, 0);
    if (last) bpf_ringbuf_discard(last, BPF_RB_FORCE_WAKEUP);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
