// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interval's walks, each a loop of read() in user space, for the whole host: live sockets,
 * SYN-ACK counts, ends that the ring had no room for. TCP sockets are type-stable memory, so a probe
 * read of one that just went finds a socket still: another's, perhaps. An entry goes before its socket
 * does, so what was read is this connection's if its entry still stands afterwards.
 */
#include "state.h"

#define PROBED(pointer, field) BPF_CORE_READ(pointer, field)

/* Whether a packet or a system call is being worked on, the lock's first word being its state. */
static __always_inline bool is_locked(const struct sock *sk)
{
    u32 slock = 0;
    bpf_core_read(&slock, sizeof(slock), &sk->sk_lock.slock);
    return slock || PROBED(sk, sk_lock.owned);
}

/*
 * The kernel counts a FIN before it says that it had one. So of a locked socket one byte is held back: a total must
 * never fall, and the next record has it. The flag is read again because the lock may just have gone.
 */
static __always_inline void hold_back_fin(struct tcp_now *now, const struct sock *sk, bool locked)
{
    now->fin_received = locked || PROBED(sk, __sk_common.skc_flags) >> SOCK_DONE & 1;
    now->all_acked |= locked;
}
#define SYNACK_IDLE_NS 60000000000ull

SEC("iter/bpf_map_elem")
int sample_conns(struct bpf_iter__bpf_map_elem *ctx)
{
    u64 *key = ctx->key;
    struct conn *value = ctx->value;
    if (!key || !value)
        return 0;
    u64 address = *key;
    struct conn c = *value;
    u32 kind = NV_SAMPLE;
    const struct sock *sk = (void *)address;
    const struct tcp_sock *tp = (void *)address;
    if (c.r.direction != NV_LISTENER) {
        struct tcp_now now;
        SET_TCP_NOW(now, PROBED, sk, tp, PROBED(sk, __sk_common.skc_state));
        bool locked = is_locked(sk);
        hold_back_fin(&now, sk, locked);
        if (!has_ports(&c.r, PROBED(sk, __sk_common.skc_num), PROBED(sk, __sk_common.skc_dport))) {
            /* Another connection's, so the end was missed; what was told last stands. */
            kind = in_handshake(&c) ? NV_FAIL : NV_END;
        } else if (now.state == TCP_CLOSE && !locked) {
            /* The change is over, and was missed. */
            kind = in_handshake(&c) ? NV_FAIL : NV_END;
            now.state = TCP_TIME_WAIT;
            set_totals(&c.r, &c, &now);
        } else if (now.state == TCP_CLOSE) {
            /* Its end is about to be told, with the right totals. */
            return 0;
        } else {
            if (in_handshake(&c) && now.state != TCP_SYN_SENT && now.state != TCP_SYN_RECV) {
                u16 local_port = PROBED(sk, __sk_common.skc_num);
                establish_unseen(value, local_port);
                establish_unseen(&c, local_port);
            }
            if (in_handshake(&c))
                c.r.local_port = PROBED(sk, __sk_common.skc_num); /* chosen after SYN_SENT */
            c.r.state = now.state;
            set_totals(&c.r, &c, &now);
        }
    }
    c.r.kind = kind;
    const struct conn *still = bpf_map_lookup_elem(&conns, &address);
    if (!still || still->r.id != c.r.id)
        return 0;
    if (kind != NV_SAMPLE) {
        c.r.error = kind == NV_FAIL ? ~0u : 0;
        c.r.state = TCP_CLOSE;
    }
    if (!bpf_seq_write(ctx->meta->seq, &c.r, sizeof(c.r)) && kind != NV_SAMPLE)
        bpf_map_delete_elem(&conns, &address);
    return 0;
}

SEC("iter/bpf_map_elem")
int sample_synacks(struct bpf_iter__bpf_map_elem *ctx)
{
    struct synack_key *key = ctx->key;
    struct conn *value = ctx->value;
    if (!key || !value)
        return 0;
    struct conn c = *value;
    struct synack_key k = *key;
    if (!bpf_seq_write(ctx->meta->seq, &c.r, sizeof(c.r)) && bpf_ktime_get_ns() - c.reported_ns > SYNACK_IDLE_NS)
        bpf_map_delete_elem(&synacks, &k);
    return 0;
}

SEC("iter/bpf_map_elem")
int sample_deferred(struct bpf_iter__bpf_map_elem *ctx)
{
    u64 *key = ctx->key;
    struct nv_conn *value = ctx->value;
    if (!key || !value)
        return 0;
    struct nv_conn r = *value;
    u64 id = *key;
    if (!bpf_seq_write(ctx->meta->seq, &r, sizeof(r)))
        bpf_map_delete_elem(&deferred, &id);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
