/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's types, only with the fields that are read here. preserve_access_index makes
 * libbpf find each field's real place in the running kernel's BTF (CO-RE). All differences
 * between kernel versions live in this file, each with the commit that forced it.
 */
#ifndef NETVITALS_KERNEL_H
#define NETVITALS_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
    u64 id;
};

struct cgroup_root {
    int hierarchy_id;
};

struct cgroup {
    struct kernfs_node *kn;
    struct cgroup_root *root;
};

struct sock_cgroup_data {
    struct cgroup *cgroup;
};

/* Until 5.15 a union with net_cls' ids, the low bits flags: 8520e224f547 ("bpf, cgroups:
 * Fix cgroup v2 fallback on v1/v2 mixed mode"). */
struct sock_cgroup_data___before_5_15 {
    u64 val;
};

struct ns_common {
    unsigned int inum;
};

struct net {
    struct ns_common ns;
};

typedef struct {
    struct net *net;
} possible_net_t;

struct in6_addr {
    union {
        u8 u6_addr8[16];
        u32 u6_addr32[4];
    } in6_u;
};

struct sock_common {
    u32 skc_daddr;
    u32 skc_rcv_saddr;
    __be16 skc_dport;
    u16 skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    possible_net_t skc_net;
    unsigned long skc_flags;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};

typedef struct spinlock {
} spinlock_t;

typedef struct {
    spinlock_t slock;
    int owned;
} socket_lock_t;

struct sk_buff {
    char cb[48];
};

struct sk_buff_head {
    struct sk_buff *next;
};

struct sock {
    struct sock_common __sk_common;
    socket_lock_t sk_lock;
    struct sk_buff_head sk_error_queue;
    int sk_err;
    int sk_err_soft;
    u8 sk_shutdown;
    u16 sk_protocol;
    struct sock_cgroup_data sk_cgrp_data;
};

struct minmax_sample {
    u32 t;
    u32 v;
};

struct minmax {
    struct minmax_sample s[3];
};

struct inet_sock {
    __be16 inet_sport;
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    u32 segs_out;
    u32 data_segs_out;
    u32 snd_una;
    u32 write_seq;
    u32 srtt_us;
    u32 total_retrans;
    u64 bytes_received;
    u64 bytes_acked;
    struct minmax rtt_min;
};

/* include/linux/errqueue.h: what an skb of the error queue has in its cb */
struct sock_extended_err {
    u32 ee_errno;
};

struct sock_exterr_skb {
    struct sock_extended_err ee;
};

struct request_sock {
    struct sock_common __req_common;
};

struct socket {
    struct sock *sk;
};

/* Absent where the kernel was built without it. */
struct mptcp_sock {
    struct sock *first;
};

struct inode {
    unsigned short i_mode;
};

struct file {
    struct inode *f_inode;
    void *private_data;
};

struct css_set {
    struct cgroup *dfl_cgrp;
};

struct task_struct {
    int tgid;
    struct css_set *cgroups;
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
    u64 session_id;
    u64 seq_num;
};

struct bpf_iter__bpf_map_elem {
    struct bpf_iter_meta *meta;
    void *map;
    void *key;
    void *value;
};

struct bpf_iter__tcp {
    struct bpf_iter_meta *meta;
    struct sock_common *sk_common;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    u32 fd;
    struct file *file;
};

#pragma clang attribute pop

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define E2BIG 7
#define EEXIST 17

/* include/net/tcp_states.h */
enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT,
    TCP_SYN_RECV,
    TCP_FIN_WAIT1,
    TCP_FIN_WAIT2,
    TCP_TIME_WAIT,
    TCP_CLOSE,
    TCP_CLOSE_WAIT,
    TCP_LAST_ACK,
    TCP_LISTEN,
    TCP_CLOSING,
    TCP_NEW_SYN_RECV,
};

/* enum sock_flags in include/net/sock.h: set by tcp_fin() alone */
#define SOCK_DONE 1

#endif
