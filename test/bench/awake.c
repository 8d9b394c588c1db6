// SPDX-License-Identifier: Apache-2.0
// Keeps every processor awake with work that gives way to any other (SCHED_IDLE). Says "ready" and ends with its
// standard input.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void spin(int processor)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sched_setaffinity(0, sizeof one, &one);
    for (;;)
#ifdef __x86_64__
        __builtin_ia32_pause();
#else
        __asm__ volatile("yield");
#endif
}

int main(void)
{
    cpu_set_t all;
    struct sched_param none = {0};
    // The children have it from here.
    if (sched_getaffinity(0, sizeof all, &all) || sched_setscheduler(0, SCHED_IDLE, &none)) return perror("awake"), 1;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all)) {
            pid_t child = fork();
            if (child < 0) return perror("awake"), 1;
            if (child == 0) spin(i);
        }
    puts("ready");
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0) {}
    return 0;
}
