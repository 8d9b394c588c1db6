// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds the sockets in `wanted`: a walk of all processes' descriptors, half a microsecond each, when it is asked for and
 * never by itself.
 */
#include "state.h"

#define INIT 1

/* The TCP socket of a descriptor's socket; of one that is no TCP socket something that is in no table. */
static __always_inline u64 tcp_of(const struct socket *socket)
{
    const struct sock *sk = BPF_CORE_READ(socket, sk);
    const struct mptcp_sock *msk = (const void *)sk;
    /* A Multipath TCP socket's first subflow is the connection, or the listener. */
    if (sk && bpf_core_field_exists(msk->first) && BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP)
        return (u64)BPF_CORE_READ(msk, first);
    return (u64)sk;
}

SEC("iter/task_file")
int holders(struct bpf_iter__task_file *ctx)
{
    const struct task_struct *task = ctx->task;
    const struct file *file = ctx->file;
    /* What it made it keeps a descriptor of, also while another uses it. */
    if (!task || !file || task->tgid == INIT)
        return 0;
    if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
        return 0;
    u64 key = tcp_of(BPF_CORE_READ(file, private_data));
    const struct conn *c = bpf_map_lookup_elem(&conns, &key);
    if (!c)
        return 0;
    struct nv_conn r = c->r;
    if (!bpf_map_lookup_elem(&wanted, &r.id))
        return 0;
    r.kind = NV_HOLDER;
    r.cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
    bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
