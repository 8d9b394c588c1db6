/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define TALLIES 64
#define NOTES 16

/* Shared: children made by fork count into their parent's. They never run at the same time as it. */
static struct shared {
    int tallies;
    int notes;
    struct tally tally[TALLIES];
    char note[NOTES][160];
} *shared;

static struct shared *table(void)
{
    if (!shared) {
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) {
            perror("mmap");
            exit(1);
        }
    }
    return shared;
}

struct tally *tally_of(bool outbound, const struct sockaddr_storage *address, uint16_t port)
{
    struct tally key = {.outbound = outbound, .family = address->ss_family, .port = port};
    if (address->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, key.address, sizeof key.address);
    } else {
        const struct in6_addr *a = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(a)) {
            key.family = AF_INET;
            inet_ntop(AF_INET, &a->s6_addr[12], key.address, sizeof key.address);
        } else {
            inet_ntop(AF_INET6, a, key.address, sizeof key.address);
        }
    }
    struct shared *s = table();
    for (int i = 0; i < s->tallies; i++) {
        struct tally *t = &s->tally[i];
        if (t->outbound == outbound && t->port == port && strcmp(t->address, key.address) == 0)
            return t;
    }
    if (s->tallies == TALLIES) {
        fprintf(stderr, "more than %d destinations\n", TALLIES);
        exit(1);
    }
    s->tally[s->tallies] = key;
    return &s->tally[s->tallies++];
}

void note(const char *format, ...)
{
    struct shared *s = table();
    va_list arguments;
    va_start(arguments, format);
    if (s->notes < NOTES)
        vsnprintf(s->note[s->notes++], sizeof s->note[0], format, arguments);
    va_end(arguments);
}

static void print_counts(const char *name, const char *const *keys, const uint64_t *values, int n)
{
    printf(",\"%s\":{", name);
    const char *comma = "";
    for (int i = 0; i < n; i++)
        if (values[i]) {
            printf("%s\"%s\":%llu", comma, keys[i], (unsigned long long)values[i]);
            comma = ",";
        }
    printf("}");
}

static void print_tally(const struct tally *t)
{
    static const char *const failures[FAILURES] = {"refused",         "timed_out", "host_unreachable",      "net_unreachable",
                                                   "aborted", "address_not_available", "_OTHER"};
    static const char *const brokens[BROKENS] = {"reset", "timed_out", "aborted"};
    printf("{\"direction\":\"%s\",\"family\":%d,\"address\":\"%s\",\"port\":%u,\"open\":%lld",
           t->outbound ? "outbound" : "inbound", t->family == AF_INET ? 4 : 6, t->address, t->port,
           (long long)t->open);
    printf(",\"opened\":%llu,\"noSyn\":%llu,\"soft\":%llu,\"unseen\":%llu,\"sent\":%llu,\"received\":%llu",
           (unsigned long long)t->opened, (unsigned long long)t->no_syn, (unsigned long long)t->soft, (unsigned long long)t->unseen,
           (unsigned long long)t->sent, (unsigned long long)t->received);
    printf(",\"retransData\":%llu,\"retransHandshake\":%llu", (unsigned long long)t->retrans_data,
           (unsigned long long)t->retrans_handshake);
    print_counts("failed", failures, t->failed, FAILURES);
    print_counts("broken", brokens, t->broken, BROKENS);
    printf("}");
}

void tally_report(void)
{
    struct shared *s = table();
    printf("{\"tallies\":[");
    for (int i = 0; i < s->tallies; i++) {
        struct tally *t = &s->tally[i];
        if (i)
            printf(",");
        print_tally(t);
        memset(&t->opened, 0, sizeof *t - offsetof(struct tally, opened));
    }
    printf("],\"notes\":[");
    for (int i = 0; i < s->notes; i++)
        printf("%s\"%s\"", i ? "," : "", s->note[i]);
    printf("]}\n");
    fflush(stdout);
    s->notes = 0;
}
