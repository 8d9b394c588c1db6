// SPDX-License-Identifier: Apache-2.0
// Loopback churn: CONNECTIONS short connections from one process to another, one after the other; both ends on this
// host. Prints JSON: connections, wall seconds, CPU seconds of both ends (user + system).
//
//   churn CONNECTIONS
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static double cpu(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static void serve(int listener, long connections)
{
    for (long i = 0; i < connections; i++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) die("accept");
        char byte;
        if (read(fd, &byte, 1) != 1) die("read");
        close(fd);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    long connections = argc > 1 ? atol(argv[1]) : 50000;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1024)) die("listen");
    getsockname(listener, (void *)&address, &length);
    pid_t server = fork();
    if (server == 0) serve(listener, connections);
    close(listener);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        // Many addresses: TIME_WAIT must not use up the ports of one.
        address.sin_addr.s_addr = htonl(0x7f000001 + i % 64);
        if (connect(fd, (void *)&address, sizeof address)) die("connect");
        char byte = 'x';
        if (write(fd, &byte, 1) != 1) die("write");
        if (read(fd, &byte, 1) != 0) die("expected the end");
        close(fd);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    int status;
    if (waitpid(server, &status, 0) < 0 || status) return 1;
    double wall = to.tv_sec - from.tv_sec + (to.tv_nsec - from.tv_nsec) / 1e9;
    printf("{\"connections\":%ld,\"wallSeconds\":%.6f,\"cpuSeconds\":%.6f}\n", connections, wall,
           cpu(RUSAGE_SELF) + cpu(RUSAGE_CHILDREN));
    return 0;
}
