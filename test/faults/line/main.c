/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line QUEUE name=value…      what tc's netem does to packets, for kernels without it: delays, loses, corrupts and
 *                             limits those that a firewall rule hands to the NFQUEUE of that number
 *
 *   delay_us jitter_us delay_correlation     uniform over delay ± jitter; packets overtake each other, as with netem
 *   loss loss_correlation corrupt corrupt_correlation      percent
 *   rate limit buffer                        bytes a second; bytes that may wait; bytes that may pass at once
 *   log=FILE                                 a line a packet: length, microseconds meant, microseconds held
 *
 * Writes "ready" once it holds the queue, ends when its standard input does, and lets go what it holds. The packet
 * stays in the kernel, whatever its protocol: only its number comes here, and its bytes where they are corrupted.
 */
#define _GNU_SOURCE
#include "queue.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static struct {
    double delay_us, jitter_us, delay_correlation;
    double loss, loss_correlation, corrupt, corrupt_correlation;
    double rate, limit, buffer;
    const char *log;
} settings;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* 0 to 1, drawn anew but for the share that is the last one's: netem's get_crandom (net/sched/sch_netem.c). */
static double draw(double *last, double correlation_percent)
{
    double rho = correlation_percent / 100;
    return *last = rho * *last + (1 - rho) * drand48();
}

/* What is held, by when it may go: a heap. */
static struct held {
    uint64_t due_ns, arrived_ns;
    uint32_t id, length;
} heap[QUEUE_MAX];
static unsigned held;

static void hold(struct held packet)
{
    unsigned i = held++;
    for (; i && packet.due_ns < heap[(i - 1) / 2].due_ns; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = packet;
}

static struct held take(void)
{
    struct held first = heap[0], last = heap[--held];
    unsigned i = 0;
    for (unsigned child; (child = 2 * i + 1) < held; i = child) {
        if (child + 1 < held && heap[child + 1].due_ns < heap[child].due_ns)
            child++;
        if (heap[child].due_ns >= last.due_ns)
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}

static FILE *log_file;

/* When the bucket has enough for it; 0 where more than `limit` bytes wait already. */
static uint64_t after_bucket(uint64_t now, uint32_t length)
{
    static double tokens;
    static uint64_t filled_ns;
    double elapsed = filled_ns ? (double)(now - filled_ns) / 1e9 : 1e9;
    tokens += elapsed * settings.rate;
    if (tokens > settings.buffer)
        tokens = settings.buffer;
    filled_ns = now;
    if (length - tokens > settings.limit + settings.buffer)
        return 0;
    tokens -= length;
    return tokens >= 0 ? now : now + (uint64_t)(-tokens / settings.rate * 1e9);
}

static void on_packet(const struct packet *packet)
{
    static double last_loss, last_corrupt, last_delay;
    uint64_t now = now_ns(), due = now;
    if (settings.loss > 0 && draw(&last_loss, settings.loss_correlation) * 100 < settings.loss) {
        queue_verdict(packet->id, NF_DROP, NULL, 0);
        return;
    }
    if (settings.corrupt > 0) {
        /* Bytes that are given back are taken at once: netem too corrupts before it delays. */
        if (packet->size > 0 && draw(&last_corrupt, settings.corrupt_correlation) * 100 < settings.corrupt) {
            size_t bit = (size_t)(drand48() * packet->size * 8);
            packet->bytes[bit / 8] ^= 1 << bit % 8;
            queue_verdict(packet->id, NF_ACCEPT, packet->bytes, packet->size);
            return;
        }
    }
    if (settings.rate > 0 && !(due = after_bucket(now, packet->length))) {
        queue_verdict(packet->id, NF_DROP, NULL, 0);
        return;
    }
    if (settings.delay_us > 0) {
        double us = settings.delay_us + settings.jitter_us * (2 * draw(&last_delay, settings.delay_correlation) - 1);
        due += us > 0 ? (uint64_t)(us * 1000) : 0;
    }
    if (held == QUEUE_MAX || due <= now)
        queue_verdict(packet->id, held == QUEUE_MAX ? NF_DROP : NF_ACCEPT, NULL, 0);
    else
        hold((struct held){.due_ns = due, .arrived_ns = now, .id = packet->id, .length = packet->length});
}

static void let_go(uint64_t until_ns)
{
    while (held > 0 && heap[0].due_ns <= until_ns) {
        struct held packet = take();
        /* Before, not after: the packet goes all its way during the verdict, and this process may then wait its turn. */
        uint64_t now = now_ns();
        queue_verdict(packet.id, NF_ACCEPT, NULL, 0);
        if (log_file)
            fprintf(log_file, "%u %llu %llu\n", packet.length,
                    (unsigned long long)(packet.due_ns - packet.arrived_ns) / 1000,
                    (unsigned long long)(now - packet.arrived_ns) / 1000);
    }
}

static void parse(int count, char **words)
{
    const struct {
        const char *name;
        double *to;
    } numbers[] = {
        {"delay_us", &settings.delay_us},   {"jitter_us", &settings.jitter_us},
        {"loss", &settings.loss},           {"delay_correlation", &settings.delay_correlation},
        {"corrupt", &settings.corrupt},     {"loss_correlation", &settings.loss_correlation},
        {"rate", &settings.rate},           {"corrupt_correlation", &settings.corrupt_correlation},
        {"limit", &settings.limit},         {"buffer", &settings.buffer},
    };
    for (int w = 0; w < count; w++) {
        char *value = strchr(words[w], '='), *end = NULL;
        bool known = false;
        if (value)
            *value++ = 0;
        for (size_t i = 0; value && i < sizeof numbers / sizeof *numbers; i++)
            if (strcmp(words[w], numbers[i].name) == 0) {
                *numbers[i].to = strtod(value, &end);
                known = end != value && !*end && *numbers[i].to >= 0;
            }
        if (value && strcmp(words[w], "log") == 0) {
            settings.log = value;
            known = true;
        }
        if (!known) {
            fprintf(stderr, "line: not understood: %s=%s\n", words[w], value ? value : "");
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    long seed;
    if (argc < 2) {
        fprintf(stderr, "usage: line QUEUE name=value…\n");
        return 2;
    }
    parse(argc - 2, argv + 2);
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        fail("getrandom");
    srand48(seed);
    prctl(PR_SET_TIMERSLACK, 1);
    /* Ahead of what keeps the processors busy, where this is allowed: otherwise packets leave late. */
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    if (settings.log && !(log_file = fopen(settings.log, "w")))
        fail(settings.log);
    queue_open((uint16_t)atoi(argv[1]), settings.corrupt > 0);
    puts("ready");
    fflush(stdout);

    struct pollfd fds[] = {{.fd = queue_fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    while (!fds[1].revents) {
        uint64_t now = now_ns(), wait = held && heap[0].due_ns > now ? heap[0].due_ns - now : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000), .tv_nsec = (long)(wait % 1000000000)};
        if (log_file && !held)
            fflush(log_file);
        if (ppoll(fds, 2, held ? &timeout : NULL, NULL) < 0 && errno != EINTR)
            fail("ppoll");
        queue_receive(on_packet);
        let_go(now_ns());
    }
    let_go(UINT64_MAX);
    if (log_file)
        fclose(log_file);
    return 0;
}
