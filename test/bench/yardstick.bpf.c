// SPDX-License-Identifier: GPL-2.0-only
// What the traced workload's cost is measured against: the least that a libbpf program does which reports every state
// change. Plain BTF loads, one record each, one wake-up for many records, no state of its own.
#include "bpf/kernel.h"
#include "yardstick.h"

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 * 1024 * 1024);
} ring SEC(".maps");

#define WAKE_BYTES (1024 * 1024)
#define RECORD_BYTES (sizeof(struct change) + 8)

__u64 lost;

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int old, int new)
{
    if (sk->sk_protocol != IPPROTO_TCP)
        return 0;
    struct change *c = bpf_ringbuf_reserve(&ring, sizeof(*c), 0);
    if (!c) {
        __sync_fetch_and_add(&lost, 1);
        return 0;
    }
    const struct sock_common *sc = &sk->__sk_common;
    c->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
    c->netns = sc->skc_net.net->ns.inum;
    c->local_port = sc->skc_num;
    c->remote_port = bpf_ntohs(sc->skc_dport);
    c->old_state = old;
    c->new_state = new;
    __u32 *local = (__u32 *)c->local, *remote = (__u32 *)c->remote;
    if (sc->skc_family == AF_INET) {
        c->family = 4;
        local[0] = sc->skc_rcv_saddr;
        remote[0] = sc->skc_daddr;
        local[1] = local[2] = local[3] = remote[1] = remote[2] = remote[3] = 0;
    } else {
        c->family = 6;
        for (int i = 0; i < 4; i++) {
            local[i] = sc->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
            remote[i] = sc->skc_v6_daddr.in6_u.u6_addr32[i];
        }
    }
    /* Once as the bytes that wait pass the mark; below it the reader's own timer is enough. */
    __u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) - WAKE_BYTES;
    bpf_ringbuf_submit(c, waiting < RECORD_BYTES ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
