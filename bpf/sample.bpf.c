// SPDX-License-Identifier: GPL-2.0-only
/*
 * The interval's walks, each a loop of read() in user space, for the whole host: live sockets,
 * SYN-ACK counts, ends that the ring had no room for. TCP sockets are type-stable memory, so a probe
 * read of one that just went finds a socket still: another's, perhaps. An entry goes before its socket
 * does, so what was read is this connection's if its entry still stands afterwards.
 */
#include "state.h"

#define PROBED(pointer, field) BPF_CORE_READ(pointer, field)
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
    const struct sock *sk = (void *)address;
    const struct tcp_sock *tp = (void *)address;
    c.r.kind = NV_SAMPLE;
    if (c.r.direction != NV_LISTENER) {
        struct tcp_now now;
        SET_TCP_NOW(now, PROBED, sk, tp, PROBED(sk, __sk_common.skc_state));
        /* CLOSE: its end is about to be told, with the right totals. */
        if (now.state != TCP_CLOSE) {
            c.r.state = now.state;
            set_totals(&c, &now);
        }
    }
    const struct conn *still = bpf_map_lookup_elem(&conns, &address);
    if (still && still->r.id == c.r.id)
        bpf_seq_write(ctx->meta->seq, &c.r, sizeof(c.r));
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
