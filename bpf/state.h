/* SPDX-License-Identifier: GPL-2.0-only */
/* What the programs share: how a socket becomes a record, and how a record leaves. */
#ifndef NETVITALS_STATE_H
#define NETVITALS_STATE_H

#include "maps.h"

#define RETRANS_REPORT_NS 100000000ull

static __always_inline void count(u32 counter, u64 n)
{
    u64 *value = bpf_map_lookup_elem(&counters, &counter);
    if (value)
        __sync_fetch_and_add(value, n);
}

/*
 * CPU, depth, number: 13, 2 and 38 bits. A softirq may come between any two instructions of a program in process
 * context and end before it goes on, so each depth has numbers of its own. (An atomic add that returns the sum would
 * do, but the instruction is of 5.12: 5ca419f2864a, "bpf: Add BPF_FETCH field / create atomic_fetch_add instruction".)
 */
static __always_inline u64 next_id(void)
{
    u32 zero = 0;
    struct cpu_state *cpu = bpf_map_lookup_elem(&cpus, &zero);
    if (!cpu)
        return 0;
    __sync_fetch_and_add(&cpu->depth, 1);
    u64 depth = *(volatile u64 *)&cpu->depth & (NESTING - 1);
    u64 n = ++cpu->ids[depth];
    __sync_fetch_and_add(&cpu->depth, -1);
    return (u64)bpf_get_smp_processor_id() << 40 | depth << 38 | (n & ((1ull << 38) - 1));
}

static __always_inline u64 wake_flag(void)
{
    u32 state = reader;
    if (state == NV_READER_WOKEN)
        return BPF_RB_NO_WAKEUP;
    if (state == NV_READER_WAITS && bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) < wake_bytes)
        return BPF_RB_NO_WAKEUP;
    reader = NV_READER_WOKEN;
    return BPF_RB_FORCE_WAKEUP;
}

/* Room in the ring for one record; NULL is counted as lost. */
static __always_inline struct nv_conn *reserve(u32 kind)
{
    struct nv_conn *out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
    if (!out)
        count(NV_COUNT_LOST + kind, 1);
    return out;
}

static __always_inline bool emit(u32 kind, const struct nv_conn *r)
{
    struct nv_conn *out = reserve(kind);
    if (!out)
        return false;
    *out = *r;
    out->kind = kind;
    bpf_ringbuf_submit(out, wake_flag());
    return true;
}

/* 0 where the socket does not say: before 5.15 net_cls' or net_prio's ids may stand in its place (is_data, bit 0). */
static __always_inline u64 cgroup_id(const struct sock *sk)
{
    struct sock_cgroup_data___before_5_15 *old = (void *)&sk->sk_cgrp_data;
    if (bpf_core_field_exists(old->val)) {
        u64 val = BPF_CORE_READ(old, val);
        struct cgroup *cgroup = (void *)(val & ~3ull);
        return cgroup && !(val & 1) ? BPF_CORE_READ(cgroup, kn, id) : 0;
    }
    struct cgroup *cgroup = sk->sk_cgrp_data.cgroup;
    return cgroup ? cgroup->kn->id : 0;
}

static __always_inline bool is_mapped(const u32 *a)
{
    return a[0] == 0 && a[1] == 0 && a[2] == bpf_htonl(0xffff);
}

static __always_inline void put_v4(u8 *to, u32 address)
{
    u32 *words = (u32 *)to;
    words[0] = address;
    words[1] = words[2] = words[3] = 0;
}

static __always_inline void put_v6(u8 *to, const u32 *from)
{
    u32 *words = (u32 *)to;
    words[0] = from[0];
    words[1] = from[1];
    words[2] = from[2];
    words[3] = from[3];
}

/* Addresses and ports; an IPv4-mapped IPv6 connection is an IPv4 one. */
static __always_inline void set_tuple(struct nv_conn *r, const struct sock_common *sc, bool listener)
{
    r->local_port = sc->skc_num;
    r->remote_port = bpf_ntohs(sc->skc_dport);
    if (sc->skc_family == AF_INET) {
        r->family = 4;
        put_v4(r->local, sc->skc_rcv_saddr);
        put_v4(r->remote, sc->skc_daddr);
        return;
    }
    u32 local[4], remote[4];
    for (int i = 0; i < 4; i++) {
        local[i] = sc->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
        remote[i] = sc->skc_v6_daddr.in6_u.u6_addr32[i];
    }
    if (is_mapped(remote) || (listener && is_mapped(local))) {
        r->family = 4;
        /* The local address may still be :: while the source address is being chosen. */
        put_v4(r->local, local[3]);
        put_v4(r->remote, remote[3]);
        return;
    }
    r->family = 6;
    put_v6(r->local, local);
    put_v6(r->remote, remote);
}

/*
 * Whether a socket with these ports may be the entry's, cheaper than is_of(): the local one is chosen after SYN_SENT, and
 * a socket in CLOSE has given it back.
 */
static __always_inline bool has_ports(const struct nv_conn *r, u16 local, __be16 remote)
{
    return r->remote_port == bpf_ntohs(remote) && (!local || !r->local_port || r->local_port == local);
}

/* The counters of a tcp_sock at one moment. */
struct tcp_now {
    u64 acked;
    u64 received;
    u32 retrans;
    u32 segments;
    u32 srtt;
    u32 min_rtt;
    bool all_acked; /* nothing sent is unacknowledged, our FIN included */
    bool fin_received;
    u8 state;
};

static __always_inline bool fin_sent(u8 state)
{
    return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK ||
           state == TCP_TIME_WAIT;
}

static __always_inline u64 sent(const struct tcp_now *now)
{
    return now->acked - (fin_sent(now->state) && now->all_acked && now->acked);
}

static __always_inline u64 received(const struct tcp_now *now)
{
    return now->received - (now->fin_received && now->received);
}

/* Totals of the connection's record from the socket's counters; now->state is the state they belong to. */
static __always_inline void set_totals(struct nv_conn *r, const struct conn *c, const struct tcp_now *now)
{
    u32 retrans = now->retrans > c->retrans_base ? now->retrans - c->retrans_base : 0;
    u64 acked = sent(now), got = received(now);
    if (r->flags & NV_ESTABLISHED) {
        r->retrans_data = retrans;
        r->bytes_sent = acked > c->sent_base ? acked - c->sent_base : 0;
        r->bytes_received = got > c->received_base ? got - c->received_base : 0;
        r->segments_sent = now->segments > c->segments_base ? now->segments - c->segments_base : 0;
    } else {
        r->retrans_handshake = retrans;
    }
    r->srtt_us = now->srtt >> 3;
    r->min_rtt_us = now->min_rtt == ~0u ? 0 : now->min_rtt;
}

/* bytes_acked counts a client's SYN, not a server's. */
#define CLIENT_SYN 1

static __always_inline bool in_handshake(const struct conn *c)
{
    return c->r.direction == NV_OUTBOUND && !(c->r.flags & NV_ESTABLISHED);
}

/* Its opening was missed: established all the same. Handshake retransmits are those that were told meanwhile. */
static __always_inline void establish_unseen(struct conn *c, u16 local_port)
{
    c->r.local_port = local_port;
    c->retrans_base += c->r.retrans_handshake;
    c->sent_base = CLIENT_SYN;
    barrier();
    c->r.flags |= NV_ESTABLISHED;
}

#define SET_TCP_NOW(now, read, sk, tp, of_state)                       \
    do {                                                                \
        (now).acked = read(tp, bytes_acked);                            \
        (now).received = read(tp, bytes_received);                      \
        (now).retrans = read(tp, total_retrans);                        \
        (now).segments = read(tp, data_segs_out);                       \
        (now).srtt = read(tp, srtt_us);                                 \
        (now).min_rtt = read(tp, rtt_min.s[0].v);                       \
        (now).all_acked = read(tp, snd_una) == read(tp, write_seq);     \
        (now).fin_received = read(sk, __sk_common.skc_flags) >> SOCK_DONE & 1;       \
        (now).state = (of_state);                                       \
    } while (0)

/* A plain load, for pointers the verifier knows; BPF_CORE_READ (a probe read) for the rest. */
#define DIRECT(pointer, field) ((pointer)->field)

/*
 * An int, as the map gives it: until 6.4 the verifier's direct call left the upper half of a helper's long undefined
 * (d7ba4cc900bf, "bpf: return long from bpf_map_ops funcs").
 */
static __always_inline void untracked(int error)
{
    if (error && error != -EEXIST)
        count(NV_COUNT_SOCKETS_FULL, 1);
}

#endif
