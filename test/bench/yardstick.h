/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* One state change of a TCP socket, as the yardstick's kernel side hands it to its user side. */
#ifndef NETVITALS_BENCH_YARDSTICK_H
#define NETVITALS_BENCH_YARDSTICK_H

#include <linux/types.h>

struct change {
    __u64 cgroup_id;
    __u32 netns;
    __u16 local_port;
    __u16 remote_port;
    __u8 old_state;
    __u8 new_state;
    __u8 family;
    __u8 reserved[5];
    __u8 local[16];
    __u8 remote[16];
};

#endif
