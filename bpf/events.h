/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The records that cross from the kernel to user space: the one definition of them.
 * bpf/ and native/ include this file; src/receivers/netvitals/kernel/layout.gen.ts is
 * generated from its BTF. Fixed width, no implicit padding.
 *
 * Every total is of this connection since it was first seen: an established connection
 * that was there before the start begins at zero. A later record of a connection carries
 * everything an earlier one did, so losing a record loses no count. An opening has no record of
 * its own: a connection that lives when an interval ends is in its walk, any other told its end.
 */
#ifndef NETVITALS_EVENTS_H
#define NETVITALS_EVENTS_H

#include <linux/types.h>

enum nv_kind {
    NV_NONE = 0,
    NV_END = 1,           /* struct nv_conn: the socket reached CLOSE */
    NV_FAIL = 2,          /* struct nv_conn: an outbound attempt ended unestablished */
    NV_RETRANS = 3,       /* struct nv_conn: its retransmit totals rose (coalesced) */
    NV_SAMPLE = 4,        /* struct nv_conn: a live connection or attempt, from the interval's walk */
    NV_LISTEN = 5,        /* struct nv_conn: a socket began to listen; ended by NV_END */
    NV_SYNACK = 6,        /* struct nv_conn: SYN-ACKs retransmitted for one listener and peer */
    NV_HOLDER = 7,        /* struct nv_conn, of its last event: a process holds it, whose cgroup is cgroup_id */
    NV_ENDS = 8,          /* struct nv_conn with struct nv_ends: made of NV_END or NV_FAIL by who reads the ring */
    NV_CGROUP_MKDIR = 9,  /* struct nv_cgroup */
    NV_CGROUP_RMDIR = 10, /* struct nv_cgroup */
    NV_KINDS = 11,
};

enum nv_direction {
    NV_OUTBOUND = 1,
    NV_INBOUND = 2,
    NV_LISTENER = 3, /* a listening socket, no connection */
};

/* nv_conn.flags */
enum nv_flags {
    NV_ESTABLISHED = 1, /* the handshake has completed */
    NV_EXISTING = 2,    /* was there before the start: active, never a new connect */
    NV_NO_SYN = 4,      /* NV_FAIL: not one SYN was sent */
    NV_BROKEN = 8,      /* NV_END: from ESTABLISHED or CLOSE_WAIT, without a FIN exchange */
};

struct nv_conn {
    __u32 kind;              /* enum nv_kind; first in every record */
    __u32 netns;             /* inode of the network namespace */
    __u64 id;                /* unique in one run of the program, below 2^53 */
    __u64 cgroup_id;         /* cgroup2 id of the task that made the socket (or its listener) */
    __u64 connect_ns;        /* SYN to established, outbound; 0 where it was not seen */
    __u64 bytes_sent;        /* acknowledged by the peer, SYN and FIN not counted */
    __u64 bytes_received;    /* FIN not counted */
    __u32 segments_sent;     /* data segments, retransmitted ones included */
    __u32 retrans_data;      /* segments retransmitted after the handshake */
    __u32 retrans_handshake; /* SYNs retransmitted; NV_SYNACK: SYN-ACKs */
    __u32 srtt_us;           /* smoothed round trip, microseconds; 0: no sample yet */
    __u32 min_rtt_us;        /* smallest round trip seen, microseconds; 0: none yet */
    __u32 error;             /* sk_err, an errno; 0: none */
    __u8 state;              /* TCP state (enum of net/tcp_states.h) after this event */
    __u8 direction;          /* enum nv_direction */
    __u8 family;             /* 4 or 6; an IPv4-mapped address is 4 */
    __u8 flags;              /* enum nv_flags */
    __u16 local_port;        /* host byte order */
    __u16 remote_port;       /* host byte order */
    __u8 local[16];          /* network byte order; IPv4 in the first 4, the rest 0 */
    __u8 remote[16];
};

/*
 * No program writes what follows: the ends of a batch of which nothing was told before, and which differ in nothing but
 * numbers and the client's port, are handed on as one record. Of NV_ENDS the totals and connect_ns are sums, id is the
 * place of its struct nv_ends, and local_port of an outbound or remote_port of an inbound one is that of the first.
 * Places are bytes from the beginning of the batch's buffer.
 */
struct nv_ends {
    __u32 kind;      /* of each: NV_END or NV_FAIL */
    __u32 count;     /* two at least */
    __u64 srtt_us;   /* sum of those that have one */
    __u32 with_srtt; /* how many these are */
    __u32 first;     /* place of the first one's struct nv_ended */
    __u32 last;
    __u32 unused; /* no padding */
};

/* One of them as it was told. */
struct nv_ended {
    __u32 next; /* place of the one after it; 0: it is the last */
    __u32 unused;
    struct nv_conn r;
};

/* What a record does to the reader of the ring. */
enum nv_reader {
    NV_READER_WAITS = 0,  /* for its timer: enough records wake it */
    NV_READER_WOKEN = 1,  /* and has not come yet */
    NV_READER_SLEEPS = 2, /* after a time without any: one wakes it */
};

/* Most sockets whose holders are asked for at once. */
#define NV_WANTED_MAX 4096

#define NV_PATH_MAX 512

struct nv_cgroup {
    __u32 kind;
    __u32 path_len; /* bytes of path without the NUL; NV_PATH_MAX - 1: it may be cut */
    __u64 id;
    char path[NV_PATH_MAX]; /* from the root of the cgroup2 hierarchy; not set for rmdir */
};

/* Kernel-side counters, one array entry each, summed over CPUs. */
enum nv_counter {
    NV_COUNT_LOST = 0,               /* + enum nv_kind: a record found the ring full */
    NV_COUNT_DEFERRED = 16,          /* of these, ends kept for the next walk: nothing is lost */
    NV_COUNT_SOCKETS_FULL = 17,      /* a socket not tracked: the bound was reached */
    NV_COUNT_DEFERRED_FULL = 18,     /* an end lost for good: no room to keep it either */
    NV_COUNT_SYNACKS_FULL = 19,      /* SYN-ACK retransmits not counted: no room */
    NV_COUNT_UNTRACKED_RETRANS = 20, /* retransmits of sockets that are not tracked */
    NV_COUNTERS = 24,
};

#ifdef __cplusplus
#define NV_ASSERT static_assert
#else
#define NV_ASSERT _Static_assert
#endif
NV_ASSERT(sizeof(struct nv_conn) == 112, "nv_conn has no padding");
NV_ASSERT(sizeof(struct nv_ends) == 32, "nv_ends has no padding");
NV_ASSERT(sizeof(struct nv_ended) == 8 + sizeof(struct nv_conn), "nv_ended has no padding");
NV_ASSERT(sizeof(struct nv_cgroup) == 16 + NV_PATH_MAX, "nv_cgroup has no padding");

#endif
