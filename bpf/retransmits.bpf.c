// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retransmitted segments. The socket's own total is what counts (one event may stand for several
 * segments, a failed one counts in RetransSegs too); these hooks make it known before the next walk.
 */
#include "entries.h"

/*
 * From 6.17 the hook has a third argument and fires for failed retransmits too, counted by the kernel (a firewall dropped
 * it) or not (there was no route). Before that it fires for none of them. The total is right either way.
 */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb, const struct sock *sk)
{
    u64 key = (u64)sk;
    struct conn *c = bpf_map_lookup_elem(&conns, &key);
    if (!c) {
        count(NV_COUNT_UNTRACKED_RETRANS, 1);
        return 0;
    }
    const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
    if (!tp)
        return 0;
    if (!has_ports(&c->r, sk->__sk_common.skc_num, sk->__sk_common.skc_dport)) {
        /* An attempt's SYN_SENT is never missed, as it comes in its own system call: this one was accepted. */
        end_stale(key, c);
        on_accepted(key, sk, tp, sk->__sk_common.skc_state);
        return 0;
    }
    u8 state = sk->__sk_common.skc_state;
    if (in_handshake(c) && state == TCP_SYN_SENT)
        c->r.retrans_handshake = tp->total_retrans - c->retrans_base;
    else if (in_handshake(c) && state != TCP_SYN_RECV)
        establish_unseen(c, sk->__sk_common.skc_num);
    u64 ns = bpf_ktime_get_ns();
    if (ns - c->reported_ns < RETRANS_REPORT_NS)
        return 0;
    c->reported_ns = ns;
    struct tcp_now now;
    SET_TCP_NOW(now, DIRECT, sk, tp, state);
    struct conn last = *c;
    last.r.state = now.state;
    set_totals(&last.r, &last, &now);
    emit(NV_RETRANS, &last.r);
    return 0;
}

/*
 * A SYN-ACK has no socket of its own yet: counted by listening address and peer, so that a SYN flood
 * from few addresses costs few entries, and one from many stops at the map's bound. (Not by the listener's
 * own address in memory: another may come to lie there.)
 */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
    struct conn c = {};
    set_tuple(&c.r, &req->__req_common, false);
    c.r.netns = sk->__sk_common.skc_net.net->ns.inum;
    c.r.cgroup_id = cgroup_id(sk);
    struct synack_key key = {.cgroup_id = c.r.cgroup_id, .netns = c.r.netns, .local_port = c.r.local_port};
    __builtin_memcpy(key.local, c.r.local, sizeof(key.local));
    __builtin_memcpy(key.remote, c.r.remote, sizeof(key.remote));
    struct conn *known = bpf_map_lookup_elem(&synacks, &key);
    if (known) {
        __sync_fetch_and_add(&known->r.retrans_handshake, 1);
        known->reported_ns = bpf_ktime_get_ns();
        return 0;
    }
    c.r.id = next_id();
    c.r.kind = NV_SYNACK;
    c.r.direction = NV_INBOUND;
    c.r.retrans_handshake = 1;
    c.r.remote_port = 0;
    c.reported_ns = bpf_ktime_get_ns();
    int error = bpf_map_update_elem(&synacks, &key, &c, BPF_NOEXIST);
    if (error == -EEXIST) {
        known = bpf_map_lookup_elem(&synacks, &key);
        if (known)
            __sync_fetch_and_add(&known->r.retrans_handshake, 1);
    } else if (error) {
        /* Full: the ring takes them one by one, the end of each told at once. */
        if (!emit(NV_SYNACK, &c.r))
            count(NV_COUNT_SYNACKS_FULL, 1);
    }
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
