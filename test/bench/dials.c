// SPDX-License-Identifier: Apache-2.0
// Short connections to one address after the other, evenly in time; and the server that they end at.
//
//   dials serve PORT                      says "ready"; ends with its standard input
//   dials ADDRESS PORT COUNT GAP_US       from ADDRESS on; prints JSON: connections, wallSeconds
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int serve(const char *port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (void *)&any, sizeof any) || listen(listener, 1024)) die("listen");
    puts("ready");
    fflush(stdout);
    for (struct pollfd in[] = {{0, POLLIN, 0}, {listener, POLLIN, 0}};;) {
        if (poll(in, 2, -1) < 0) die("poll");
        if (in[0].revents) return 0;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) die("accept");
        char byte;
        while (read(fd, &byte, 1) > 0) continue;
        close(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
    if (argc != 5) return 2;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    uint32_t first = ntohl(inet_addr(argv[1]));
    long count = atol(argv[3]), gap_ns = atol(argv[4]) * 1000;
    struct timespec from, next, end;
    clock_gettime(CLOCK_MONOTONIC, &from);
    next = from;
    for (long i = 0; i < count; i++) {
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        next.tv_nsec += gap_ns;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        to.sin_addr.s_addr = htonl(first + i);
        if (connect(fd, (void *)&to, sizeof to)) die("connect");
        if (write(fd, "x", 1) != 1) die("write");
        close(fd);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("{\"connections\":%ld,\"wallSeconds\":%.6f}\n", count,
           end.tv_sec - from.tv_sec + (end.tv_nsec - from.tv_nsec) / 1e9);
    return 0;
}
