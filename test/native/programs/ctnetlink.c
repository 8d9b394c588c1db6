// SPDX-License-Identifier: Apache-2.0
// Preloaded into a process: a kernel that has connection tracking's netlink as a module, loaded while the file that
// CTNETLINK_LOADED names is there. Opening its socket before that would load it: then this aborts.
//
//   cc -shared -fPIC -o ctnetlink.so ctnetlink.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int loaded(void)
{
    int (*real)(const char *, int) = dlsym(RTLD_NEXT, "access");
    return real(getenv("CTNETLINK_LOADED"), F_OK);
}

int access(const char *path, int mode)
{
    if (strcmp(path, "/sys/module/nf_conntrack_netlink") == 0) return loaded();
    int (*real)(const char *, int) = dlsym(RTLD_NEXT, "access");
    return real(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    if (strcmp(path, "/proc/kallsyms") == 0) return fmemopen("0 t ctnetlink\n", 14, "r");
    FILE *(*real)(const char *, const char *) = dlsym(RTLD_NEXT, "fopen");
    return real(path, mode);
}

int socket(int domain, int type, int protocol)
{
    if (domain == AF_NETLINK && protocol == NETLINK_NETFILTER && loaded() != 0) abort();
    int (*real)(int, int, int) = dlsym(RTLD_NEXT, "socket");
    return real(domain, type, protocol);
}
