/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is entered for a socket, and taken out again. A socket's entry is found by its address, where another lies soon
 * after it went: whoever finds an entry asks first whose it is.
 */
#ifndef NETVITALS_ENTRIES_H
#define NETVITALS_ENTRIES_H

#include "state.h"

static __always_inline void init(struct conn *c, const struct sock *sk, u8 direction)
{
    c->r.id = next_id();
    c->r.netns = sk->__sk_common.skc_net.net->ns.inum;
    c->r.cgroup_id = cgroup_id(sk);
    /* connect() and listen() are the owner's own calls; an accepted socket comes in softirq. */
    if (!c->r.cgroup_id && direction != NV_INBOUND)
        c->r.cgroup_id = bpf_get_current_cgroup_id();
    c->r.direction = direction;
    set_tuple(&c->r, &sk->__sk_common, direction == NV_LISTENER);
}

/* An end that found the ring full is kept for the next walk: it carries the connection's last totals. */
static __always_inline void keep_end(struct nv_conn *r)
{
    u64 id = r->id;
    if (bpf_map_update_elem(&deferred, &id, r, BPF_ANY))
        count(NV_COUNT_DEFERRED_FULL, 1);
    else
        count(NV_COUNT_DEFERRED, 1);
}

/* An end must be told once: only who took the entry out tells. An int: see untracked(). */
static __always_inline bool take_out(u64 key)
{
    int error = bpf_map_delete_elem(&conns, &key);
    return !error;
}

/* One that finds no room is told to have ended at once: it is counted, but not followed. */
static __always_inline void track(u64 key, struct conn *c)
{
    int error = bpf_map_update_elem(&conns, &key, c, BPF_ANY);
    if (!error)
        return;
    untracked(error);
    c->r.kind = NV_END;
    c->r.state = TCP_CLOSE;
    if (!emit(NV_END, &c->r))
        keep_end(&c->r);
}

/*
 * A hook may have missed a socket's end (the kernel does not run it everywhere, or not nested), and the next socket
 * lies in the same place: what is known of the old one is told.
 */
static __always_inline void end_stale(u64 key, const struct conn *c)
{
    struct nv_conn last = c->r;
    if (!take_out(key))
        return;
    bool failed = last.direction == NV_OUTBOUND && !(last.flags & NV_ESTABLISHED);
    last.kind = failed ? NV_FAIL : NV_END;
    last.state = TCP_CLOSE;
    last.error = failed ? ~0u : 0;
    if (!emit(last.kind, &last))
        keep_end(&last);
}

/* What the socket has counted so far belongs to the handshake, or to the listener it was cloned from. */
static __always_inline void establish(struct conn *c, const struct tcp_sock *tp, u8 state)
{
    c->r.state = state;
    c->retrans_base = tp->total_retrans;
    /* In this order: a walk that sees the flag must not count from the handshake's base. */
    barrier();
    c->r.flags |= NV_ESTABLISHED;
}

static __always_inline void on_accepted(u64 key, const struct sock *sk, const struct tcp_sock *tp, u8 state)
{
    struct conn c = {};
    init(&c, sk, NV_INBOUND);
    establish(&c, tp, state);
    track(key, &c);
}

/* Whether the entry is this connection's own, and not of one whose end was missed. */
static __always_inline bool is_of(const struct conn *c, const struct sock *sk)
{
    struct nv_conn seen = {};
    set_tuple(&seen, &sk->__sk_common, false);
    const u32 *entered = (const u32 *)c->r.remote, *now = (const u32 *)seen.remote;
    return c->r.remote_port == seen.remote_port && entered[0] == now[0] && entered[1] == now[1] &&
           entered[2] == now[2] && entered[3] == now[3];
}

#endif
