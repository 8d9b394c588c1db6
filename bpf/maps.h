/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps that the programs share: maps.bpf.c defines them, bpftool's linker joins the objects. */
#ifndef NETVITALS_MAPS_H
#define NETVITALS_MAPS_H

#include "kernel.h"
#include "events.h"

/* One tracked socket: its record as last known, and what its totals are counted from. */
struct conn {
    struct nv_conn r;
    u64 syn_ns;
    u64 reported_ns;   /* of the last NV_RETRANS */
    u64 sent_base;     /* bytes_acked that are not ours to count: the SYN, or all from before the start */
    u64 received_base;
    u32 retrans_base;  /* total_retrans when the present phase (handshake, then data) began */
    u32 segments_base;
    u32 segs_out_base; /* to tell an attempt that sent nothing */
    u32 unused;        /* no padding */
};

struct synack_key {
    u64 cgroup_id;
    u32 netns;
    u32 local_port;
    u8 local[16];
    u8 remote[16];
};

/* Never preallocated: an idle host pays for the table of buckets alone. */
struct conns_map {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 262144);
    __type(key, u64); /* the struct sock's address */
    __type(value, struct conn);
};

/* Ends that found the ring full: the next walk delivers them. */
struct deferred_map {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 65536);
    __type(key, u64); /* nv_conn.id */
    __type(value, struct nv_conn);
};

/* SYN-ACK retransmits: no socket of their own yet, so counted by listening address and peer. */
struct synacks_map {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 8192);
    __type(key, struct synack_key);
    __type(value, struct conn);
};

/* Ports that listen, by namespace: filled and used by a snapshot, then emptied. */
struct listeners_map {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, u64); /* netns << 16 | port */
    __type(value, u8);
};

/* Sockets whose holders are asked for: filled and used by one pass, then emptied. */
struct wanted_map {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, NV_WANTED_MAX);
    __type(key, u64); /* nv_conn.id */
    __type(value, u8);
};

struct ring_map {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 * 1024 * 1024);
};

struct counters_map {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, NV_COUNTERS);
    __type(key, u32);
    __type(value, u64);
};

#define NESTING 4

struct cpu_state {
    u64 ids[NESTING]; /* handed out on this CPU, by how deeply nested the program was */
    u64 depth;        /* programs that are taking an id on this CPU just now */
    u64 seen_sk;      /* the state change that this CPU's first program took last */
    u64 seen_old_new;
};

struct cpus_map {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct cpu_state);
};

#ifndef NETVITALS_DEFINES_MAPS
extern struct conns_map conns SEC(".maps");
extern struct deferred_map deferred SEC(".maps");
extern struct synacks_map synacks SEC(".maps");
extern struct listeners_map listeners SEC(".maps");
extern struct wanted_map wanted SEC(".maps");
extern struct ring_map ring SEC(".maps");
extern struct counters_map counters SEC(".maps");
extern struct cpus_map cpus SEC(".maps");
/* enum nv_reader: NV_READER_WOKEN is set here, the others by the reader. One wake-up a batch. */
extern __u32 reader;
extern const volatile __u32 wake_bytes;
#endif

#endif
