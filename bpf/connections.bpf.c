// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCP socket's life: SYN_SENT or a listener's child, ESTABLISHED, CLOSE. Of its six to ten
 * state changes one is reported, the last. Runs in softirq as often as not: current is not the owner,
 * so the socket is asked for everything.
 */
#include "entries.h"

/* The same change, taken twice: the twin of the program saw it too. */
#define SAME_CHANGE_NS 1000000

static __always_inline void on_syn_sent(u64 key, const struct sock *sk, const struct tcp_sock *tp)
{
    struct conn c = {};
    init(&c, sk, NV_OUTBOUND);
    c.syn_ns = bpf_ktime_get_ns();
    c.r.state = TCP_SYN_SENT;
    c.retrans_base = tp->total_retrans;
    c.segs_out_base = tp->segs_out;
    int error = bpf_map_update_elem(&conns, &key, &c, BPF_NOEXIST);
    if (error == -EEXIST) {
        const struct conn *known = bpf_map_lookup_elem(&conns, &key);
        if (known && c.syn_ns - known->syn_ns < SAME_CHANGE_NS)
            return;
        if (known)
            end_stale(key, known);
        error = bpf_map_update_elem(&conns, &key, &c, BPF_ANY);
    }
    untracked(error);
}

static __always_inline void on_connected(struct conn *c, const struct sock *sk, const struct tcp_sock *tp, u8 state)
{
    c->r.connect_ns = c->syn_ns ? bpf_ktime_get_ns() - c->syn_ns : 0;
    c->r.retrans_handshake = tp->total_retrans - c->retrans_base;
    c->sent_base = CLIENT_SYN;
    c->r.srtt_us = tp->srtt_us >> 3;
    set_tuple(&c->r, &sk->__sk_common, false); /* the local port is chosen after SYN_SENT */
    establish(c, tp, state);
}

/* Its SYN_SENT was missed, or there was no room for it then. */
static __always_inline void on_connected_unseen(u64 key, const struct sock *sk, const struct tcp_sock *tp, u8 state)
{
    struct conn c = {};
    init(&c, sk, NV_OUTBOUND);
    on_connected(&c, sk, tp, state);
    track(key, &c);
}

static __always_inline void on_listen(u64 key, const struct sock *sk)
{
    struct conn c = {};
    init(&c, sk, NV_LISTENER);
    c.r.state = TCP_LISTEN;
    emit(NV_LISTEN, &c.r);
    track(key, &c);
}

/*
 * Of an attempt that failed. An ICMP error that arrives while connect() still holds the socket ends nothing: it waits
 * in sk_err_soft and (IPv4, from 5.13: 45af29ca761c, "tcp: allow traceroute -Mtcp for unpriv users") in the error
 * queue, which wakes the application; reading SO_ERROR clears the former. Then the application closes, in SYN_SENT.
 */
static __always_inline u32 attempt_error(const struct sock *sk)
{
    if (sk->sk_err)
        return sk->sk_err;
    if (sk->sk_err_soft)
        return sk->sk_err_soft;
    const struct sk_buff *queued = BPF_CORE_READ(sk, sk_error_queue.next);
    if (!queued || (const void *)queued == (const void *)&sk->sk_error_queue)
        return 0;
    const struct sock_exterr_skb *err = (const void *)&queued->cb;
    return BPF_CORE_READ(err, ee.ee_errno);
}

#define SHUTDOWN_MASK 3

static __always_inline void set_end(struct nv_conn *r, u32 kind, const struct conn *c, const struct sock *sk,
                                    const struct tcp_sock *tp, u8 old)
{
    struct tcp_now now;
    SET_TCP_NOW(now, DIRECT, sk, tp, old);
    *r = c->r;
    set_totals(r, c, &now);
    r->kind = kind;
    r->state = TCP_CLOSE;
    if (kind == NV_FAIL) {
        r->error = attempt_error(sk);
        /* Its port was chosen after SYN_SENT. */
        r->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
        /* close() shuts down first: a Fast Open connect that waited for its first write was given up. */
        if (tp->segs_out == c->segs_out_base && sk->sk_shutdown != SHUTDOWN_MASK)
            r->flags |= NV_NO_SYN;
    } else {
        r->error = sk->sk_err;
        if (old == TCP_ESTABLISHED || old == TCP_CLOSE_WAIT)
            r->flags |= NV_BROKEN;
    }
}

static __always_inline void on_close(u64 key, struct conn *c, const struct sock *sk, const struct tcp_sock *tp, u8 old)
{
    u16 local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport); /* skc_num is gone by CLOSE */
    if (!has_ports(&c->r, local_port, sk->__sk_common.skc_dport))
        return end_stale(key, c);
    if (in_handshake(c) && old != TCP_SYN_SENT && old != TCP_SYN_RECV)
        establish_unseen(c, local_port);
    u32 kind = in_handshake(c) ? NV_FAIL : NV_END;
    struct nv_conn *out = reserve(kind);
    /* Out of the table first: a walk must never show a connection whose end is already in the ring. */
    if (out) {
        set_end(out, kind, c, sk, tp, old);
        if (take_out(key))
            bpf_ringbuf_submit(out, wake_flag());
        else
            bpf_ringbuf_discard(out, BPF_RB_NO_WAKEUP);
    } else {
        struct nv_conn kept;
        set_end(&kept, kind, c, sk, tp, old);
        if (take_out(key))
            keep_end(&kept);
    }
}

/* Of the six to ten changes of a socket, those that are looked at: between ESTABLISHED and CLOSE the walk shows it. */
static __always_inline bool matters(int old, int new)
{
    if (old == TCP_LISTEN) /* A clone starts life as a copy of its listener, in SYN_RECV. */
        return new == TCP_CLOSE;
    if (new == TCP_SYN_RECV)
        return false;
    return new == TCP_CLOSE || new == TCP_SYN_SENT || new == TCP_LISTEN || old == TCP_SYN_SENT || old == TCP_SYN_RECV;
}

static __always_inline void state_change(const struct sock *sk, int old, int new)
{
    if (sk->sk_protocol != IPPROTO_TCP)
        return;
    u64 key = (u64)sk;
    const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
    if (!tp)
        return;
    if (new == TCP_SYN_SENT)
        return on_syn_sent(key, sk, tp);
    struct conn *c = bpf_map_lookup_elem(&conns, &key);
    if (new == TCP_LISTEN) {
        if (!c)
            on_listen(key, sk);
        return;
    }
    if (new == TCP_CLOSE) {
        if (c)
            on_close(key, c, sk, tp, old);
        return;
    }
    /* The handshake is over. A Fast Open server may have closed already: SYN_RECV to FIN_WAIT1. */
    if (c && is_of(c, sk)) {
        if (in_handshake(c))
            on_connected(c, sk, tp, new);
        return;
    }
    if (c)
        end_stale(key, c);
    if (old == TCP_SYN_RECV)
        on_accepted(key, sk, tp, new);
    else
        on_connected_unseen(key, sk, tp, new);
}

/*
 * Since 6.1 a raw tracepoint program that is interrupted on its CPU by one of its own kind loses
 * the inner event (05b24ff9b2cf, "bpf: Prevent bpf program recursion for raw tracepoint probes"):
 * a softirq's state changes, while process context is in this program. So there are two: the
 * second takes what the first did not see, or no longer knows that it saw (a softirq came between the
 * two): taking a change twice changes nothing.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, int old, int new)
{
    if (!matters(old, new))
        return 0;
    u32 zero = 0;
    struct cpu_state *cpu = bpf_map_lookup_elem(&cpus, &zero);
    if (cpu) {
        cpu->seen_sk = (u64)sk;
        cpu->seen_old_new = (u64)old << 32 | (u32)new;
    }
    state_change(sk, old, new);
    return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state_nested, const struct sock *sk, int old, int new)
{
    if (!matters(old, new))
        return 0;
    u32 zero = 0;
    struct cpu_state *cpu = bpf_map_lookup_elem(&cpus, &zero);
    if (cpu && cpu->seen_sk == (u64)sk && cpu->seen_old_new == ((u64)old << 32 | (u32)new)) {
        /* Another socket may come to lie there. */
        cpu->seen_sk = 0;
        return 0;
    }
    state_change(sk, old, new);
    return 0;
}

/* Nothing that was entered outlives its socket, whatever path freed it. */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock, const struct sock *sk)
{
    u64 key = (u64)sk;
    struct conn *c = bpf_map_lookup_elem(&conns, &key);
    if (!c)
        return 0;
    const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
    /* Its CLOSE was missed, and what was before it: an orderly end is the likelier one. */
    if (tp)
        on_close(key, c, sk, tp, in_handshake(c) ? TCP_SYN_SENT : TCP_TIME_WAIT);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
