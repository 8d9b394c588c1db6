// SPDX-License-Identifier: Apache-2.0
// Puts the records (struct nv_conn) of its standard input into the ring of a running tracer, found by its map's id, as a
// program of the tracer does; nobody is woken.
//
//   inject OBJECT MAP_ID
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf/events.h"

#define AT_ONCE 8192

static struct nv_conn records[AT_ONCE];

struct inject {
    __u64 count, done;
};

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
    int ring = bpf_map_get_fd_by_id(atoi(argv[2]));
    if (!object || ring < 0 || bpf_map__reuse_fd(bpf_object__find_map_by_name(object, "ring"), ring)) return 1;
    if (bpf_object__load(object)) return 1;
    int map = bpf_object__find_map_fd_by_name(object, "records");
    int program = bpf_program__fd(bpf_object__find_program_by_name(object, "inject"));
    for (size_t count; (count = fread(records, sizeof records[0], AT_ONCE, stdin)) > 0;) {
        for (unsigned i = 0; i < count; i++)
            if (bpf_map_update_elem(map, &i, &records[i], BPF_ANY)) return 1;
        struct inject in = {count, 0};
        LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &in, .ctx_size_in = sizeof in);
        if (bpf_prog_test_run_opts(program, &options)) {
            perror("bpf_prog_test_run");
            return 1;
        }
        if (in.done != count) {
            fprintf(stderr, "the ring had room for %llu of %zu records\n", (unsigned long long)in.done, count);
            return 1;
        }
    }
    return 0;
}
