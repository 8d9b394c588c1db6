// SPDX-License-Identifier: GPL-2.0-only
/* The maps and settings, defined once for all programs. */
#define NETVITALS_DEFINES_MAPS
#include "maps.h"

/* Bytes in the ring that are worth waking the reader for; less waits for its own timer. */
const volatile __u32 wake_bytes = 1024 * 1024;
__u32 reader;

struct conns_map conns SEC(".maps");
struct deferred_map deferred SEC(".maps");
struct synacks_map synacks SEC(".maps");
struct listeners_map listeners SEC(".maps");
struct wanted_map wanted SEC(".maps");
struct ring_map ring SEC(".maps");
struct counters_map counters SEC(".maps");
struct cpus_map cpus SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
