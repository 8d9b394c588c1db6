// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was there before the programs were attached, one network namespace a pass. Attach first,
 * snapshot second: BPF_NOEXIST keeps what the programs have entered since. The kernel walks
 * listening sockets before connections, so a connection's direction is known when it comes.
 */
#include "state.h"

static __always_inline u64 port_key(u32 netns, u16 port)
{
    return (u64)netns << 16 | port;
}

SEC("iter/tcp")
int snapshot_tcp(struct bpf_iter__tcp *ctx)
{
    struct sock_common *sc = ctx->sk_common;
    if (!sc)
        return 0;
    const struct tcp_sock *tp = bpf_skc_to_tcp_sock(sc); /* none for TIME_WAIT and half-open ones */
    if (!tp)
        return 0;
    const struct sock *sk = (const struct sock *)tp;
    u8 state = sc->skc_state;
    if (state == TCP_CLOSE || state == TCP_SYN_RECV)
        return 0;
    struct conn c = {};
    c.r.id = next_id();
    c.r.kind = NV_SAMPLE;
    c.r.netns = sc->skc_net.net->ns.inum;
    c.r.cgroup_id = cgroup_id(sk);
    c.r.state = state;
    set_tuple(&c.r, sc, state == TCP_LISTEN);
    u64 port = port_key(c.r.netns, c.r.local_port);
    if (state == TCP_LISTEN) {
        u8 one = 1;
        bpf_map_update_elem(&listeners, &port, &one, BPF_ANY);
        c.r.direction = NV_LISTENER;
        c.r.flags = NV_EXISTING;
    } else {
        c.r.direction = bpf_map_lookup_elem(&listeners, &port) ? NV_INBOUND : NV_OUTBOUND;
        struct tcp_now now;
        SET_TCP_NOW(now, DIRECT, sk, tp, state);
        c.sent_base = sent(&now);
        c.received_base = received(&now);
        c.retrans_base = now.retrans;
        c.segments_base = now.segments;
        c.r.srtt_us = now.srtt >> 3;
        if (state == TCP_SYN_SENT) {
            c.segs_out_base = tp->segs_out - 1;
            c.sent_base = c.received_base = 0;
        } else {
            c.r.flags = NV_ESTABLISHED | NV_EXISTING;
        }
    }
    u64 key = (u64)tp;
    int error = bpf_map_update_elem(&conns, &key, &c, BPF_NOEXIST);
    untracked(error);
    /* No room in this read: the kernel shows the socket again in the next one. */
    if (!error && bpf_seq_write(ctx->meta->seq, &c.r, sizeof(c.r)))
        bpf_map_delete_elem(&conns, &key);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
