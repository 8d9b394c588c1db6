// SPDX-License-Identifier: Apache-2.0
// Runs fill.bpf.c on the ring of a running tracer, found by its map's id: connections to so many destinations of each
// cgroup (by default of the root alone), these and those in turn. Of each is told its end, and with `retransmits` also a
// retransmit before that.
//
//   fill OBJECT MAP_ID CONNECTIONS DESTINATIONS ends|retransmits [CGROUP_ID…]
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_CGROUPS 256

struct fill {
    __u64 connections, first, destinations, cgroups, retransmits, filled;
};

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 6 + MAX_CGROUPS) return 2;
    int retransmits = strcmp(argv[5], "retransmits") == 0;
    struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
    int ring = bpf_map_get_fd_by_id(atoi(argv[2]));
    if (!object || ring < 0 || bpf_map__reuse_fd(bpf_object__find_map_by_name(object, "ring"), ring)) return 1;
    if (bpf_object__load(object)) return 1;
    unsigned long long ids[MAX_CGROUPS] = {1};
    for (int i = 6; i < argc; i++) ids[i - 6] = strtoull(argv[i], NULL, 0);
    unsigned zero = 0;
    if (bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, ".bss"), &zero, ids, BPF_ANY)) return 1;
    int program = bpf_program__fd(bpf_object__find_program_by_name(object, "fill"));
    unsigned long long total = strtoull(argv[3], NULL, 0), done = 0;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    while (done < total) {
        struct fill f = {total - done < 8192 ? total - done : 8192, done, strtoull(argv[4], NULL, 0),
                         argc > 6 ? argc - 6 : 1, retransmits, 0};
        LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &f, .ctx_size_in = sizeof f);
        if (bpf_prog_test_run_opts(program, &options)) {
            perror("bpf_prog_test_run");
            return 1;
        }
        done += f.filled;
        // Full: the reader's turn. It takes longer over a ring, and what is measured needs the processor.
        if (f.filled < f.connections) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("{\"records\":%llu,\"seconds\":%.6f}\n", done * (1 + retransmits), to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9);
    return 0;
}
