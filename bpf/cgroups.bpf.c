// SPDX-License-Identifier: GPL-2.0-only
/* cgroups that come and go: a container that lived 5 ms still has its name when its events are read. */
#include "state.h"

static __always_inline void report(u32 kind, const struct cgroup *cgroup, const char *path)
{
    if (cgroup->root->hierarchy_id != 0) /* of a v1 hierarchy */
        return;
    struct nv_cgroup *out = bpf_ringbuf_reserve(&ring, sizeof(*out), 0);
    if (!out) {
        count(NV_COUNT_LOST + kind, 1);
        return;
    }
    out->kind = kind;
    out->id = cgroup->kn->id;
    out->path_len = 0;
    out->path[0] = 0;
    long n = bpf_probe_read_kernel_str(out->path, sizeof(out->path), path);
    if (n > 0)
        out->path_len = n - 1;
    bpf_ringbuf_submit(out, wake_flag());
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, const struct cgroup *cgroup, const char *path)
{
    report(NV_CGROUP_MKDIR, cgroup, path);
    return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(cgroup_rmdir, const struct cgroup *cgroup, const char *path)
{
    report(NV_CGROUP_RMDIR, cgroup, path);
    return 0;
}

char LICENSE[] SEC("license") = "GPL";
