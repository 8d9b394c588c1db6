/*
 * Writes records of bpf/events.h to stdout as the kernel side does, and what they hold to stderr as JSON. With an argument
 * it writes a buffer with joined ends instead, as the reader of the ring does: the first three records, one of them of
 * joined ends, and behind these what it was made of.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/events.h"

static int first = 1;

static void next(void)
{
    fputs(first ? "[" : ",\n ", stderr);
    first = 0;
}

static void put_address(const char *name, const __u8 *address)
{
    fprintf(stderr, "\"%s\":[", name);
    for (int i = 0; i < 16; i++)
        fprintf(stderr, "%s%u", i ? "," : "", address[i]);
    fputs("]", stderr);
}

static void tell_conn(const struct nv_conn *c)
{
    next();
    fprintf(stderr, "{\"kind\":%u,\"netns\":%u,\"id\":\"%" PRIu64 "\",\"cgroupId\":\"%" PRIu64 "\",", c->kind, c->netns,
            (uint64_t)c->id, (uint64_t)c->cgroup_id);
    fprintf(stderr, "\"connectNs\":\"%" PRIu64 "\",\"bytesSent\":\"%" PRIu64 "\",\"bytesReceived\":\"%" PRIu64 "\",",
            (uint64_t)c->connect_ns, (uint64_t)c->bytes_sent, (uint64_t)c->bytes_received);
    fprintf(stderr, "\"segmentsSent\":%u,\"retransData\":%u,\"retransHandshake\":%u,", c->segments_sent, c->retrans_data,
            c->retrans_handshake);
    fprintf(stderr, "\"srttUs\":%u,\"minRttUs\":%u,\"error\":%u,", c->srtt_us, c->min_rtt_us, c->error);
    fprintf(stderr, "\"state\":%u,\"direction\":%u,\"family\":%u,\"flags\":%u,", c->state, c->direction, c->family, c->flags);
    fprintf(stderr, "\"localPort\":%u,\"remotePort\":%u,", c->local_port, c->remote_port);
    put_address("local", c->local);
    fputs(",", stderr);
    put_address("remote", c->remote);
    fputs("}", stderr);
}

static void put_conn(const struct nv_conn *c)
{
    fwrite(c, sizeof *c, 1, stdout);
    tell_conn(c);
}

static void put_cgroup(__u32 kind, __u64 id, const char *path)
{
    struct nv_cgroup g;
    memset(&g, 0xee, sizeof g); /* what stood in the ring before */
    g.kind = kind;
    g.id = id;
    g.path_len = strlen(path);
    memcpy(g.path, path, g.path_len + 1);
    fwrite(&g, sizeof g, 1, stdout);
    next();
    fprintf(stderr, "{\"kind\":%u,\"id\":\"%" PRIu64 "\",\"path\":\"%s\"}", kind, (uint64_t)id, path);
}

/* Every field of it differs from every other, in each of its bytes where it has several. */
static struct nv_conn distinct(unsigned seed)
{
    struct nv_conn c;
    unsigned char *bytes = (unsigned char *)&c;
    for (size_t i = 0; i < sizeof c; i++)
        bytes[i] = (unsigned char)(i * 2 + seed + 1);
    c.kind = NV_END + seed % NV_HOLDER;
    c.id &= (1ull << 53) - 1;
    c.connect_ns &= (1ull << 53) - 1;
    c.bytes_sent &= (1ull << 53) - 1;
    c.bytes_received &= (1ull << 53) - 1;
    c.family = seed % 2 ? 4 : 6;
    if (c.family == 4) {
        memset(c.local + 4, 0, 12);
        memset(c.remote + 4, 0, 12);
    }
    return c;
}

/* The three that were joined lie in another order than they came in. */
static void put_joined(void)
{
    struct {
        struct nv_conn records[3];
        struct nv_ended third;
        struct nv_ends ends;
        struct nv_ended first, second;
    } buffer;
    memset(&buffer, 0xee, sizeof buffer);
    for (unsigned i = 0; i < 3; i++)
        buffer.records[i] = distinct(i);
    buffer.records[1].kind = NV_ENDS;
    buffer.records[1].id = offsetof(__typeof__(buffer), ends);
    buffer.first.r = distinct(7);
    buffer.second.r = distinct(8);
    buffer.third.r = distinct(9);
    buffer.first.next = offsetof(__typeof__(buffer), second);
    buffer.second.next = offsetof(__typeof__(buffer), third);
    buffer.third.next = 0;
    buffer.first.r.kind = buffer.second.r.kind = buffer.third.r.kind = NV_FAIL;
    struct nv_ends ends = {
        .kind = NV_FAIL,
        .count = 3,
        .srtt_us = (1ull << 53) - 1,
        .with_srtt = 0x7ffffff2,
        .first = offsetof(__typeof__(buffer), first),
        .last = offsetof(__typeof__(buffer), third),
    };
    buffer.ends = ends;
    fwrite(&buffer, sizeof buffer, 1, stdout);
    tell_conn(&buffer.records[0]);
    tell_conn(&buffer.first.r);
    tell_conn(&buffer.second.r);
    tell_conn(&buffer.third.r);
    tell_conn(&buffer.records[2]);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        put_joined();
        fputs("]\n", stderr);
        return 0;
    }
    for (unsigned seed = 0; seed < 14; seed++) {
        struct nv_conn c = distinct(seed);
        put_conn(&c);
        if (seed == 3)
            put_cgroup(NV_CGROUP_MKDIR, 0x100000001ull, "");
        if (seed == 5)
            put_cgroup(NV_CGROUP_MKDIR, 1507, "/kubepods/burstable/pod0b1c/0123456789abcdef");
        if (seed == 8)
            put_cgroup(NV_CGROUP_RMDIR, ~0ull, "/system.slice/caf\xc3\xa9.service");
        if (seed == 9) {
            char path[NV_PATH_MAX];
            memset(path, 'x', sizeof path);
            path[0] = '/';
            path[NV_PATH_MAX - 1] = 0;
            put_cgroup(NV_CGROUP_MKDIR, 1ull << 63, path);
        }
    }
    struct nv_conn largest;
    memset(&largest, 0xff, sizeof largest);
    largest.kind = NV_END;
    largest.id = largest.connect_ns = largest.bytes_sent = largest.bytes_received = (1ull << 53) - 1;
    largest.family = 6;
    put_conn(&largest);
    struct nv_conn smallest = {.kind = NV_SAMPLE, .family = 4};
    put_conn(&smallest);
    fputs("]\n", stderr);
    return 0;
}
