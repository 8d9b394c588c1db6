/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activate manager            as systemd does: makes a listener and hands it, or each connection, to a service
 * activate service            as a .service of systemd's: serves the listener that it is handed as descriptor 3
 * activate dial ADDRESS PORT  connects to it
 *
 * Commands on standard input, one a line, each answered by one line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MESSAGE 100
#define MOST 256

static void fail(const char *what)
{
    fprintf(stderr, "activate: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void answer(const char *text, int number)
{
    printf("%s %d\n", text, number);
    fflush(stdout);
}

/* From here on this process is in the cgroup, as after exec of a service. */
static void join(const char *procs)
{
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        fail(procs);
    close(fd);
}

static void echo(int fd)
{
    char bytes[4096];
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            break;
    close(fd);
}

static void serve(int listener)
{
    struct pollfd fds[1 + MOST] = {{.fd = listener, .events = POLLIN}};
    int count = 1;
    /* Another may hold it, and be quicker. */
    fcntl(listener, F_SETFL, O_NONBLOCK);
    for (;;) {
        if (poll(fds, (nfds_t)count, -1) < 0)
            fail("poll");
        for (int i = count - 1; i > 0; i--) {
            char bytes[4096];
            if (!fds[i].revents)
                continue;
            ssize_t n = read(fds[i].fd, bytes, sizeof bytes);
            if (n > 0 && send(fds[i].fd, bytes, (size_t)n, MSG_NOSIGNAL) == n)
                continue;
            close(fds[i].fd);
            fds[i] = fds[--count];
        }
        int fd = fds[0].revents && count <= MOST ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0)
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
}

static pid_t start(const char *procs)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        fail("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(STDIN_FILENO);
        join(procs);
    }
    return pid;
}

/* Its service has it, and the manager keeps its own descriptor until that has ended. */
struct given {
    pid_t pid;
    int fd;
};

static struct given given[MOST];
static int givens;

static void give(int listener, const char *procs)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    pid_t pid = start(procs);
    if (pid == 0) {
        close(listener);
        for (int i = 0; i < givens; i++)
            close(given[i].fd);
        echo(fd);
        exit(0);
    }
    if (givens == MOST)
        exit(1);
    given[givens++] = (struct given){pid, fd};
}

static void reap(void)
{
    for (int i = givens - 1; i >= 0; i--)
        if (waitpid(given[i].pid, NULL, WNOHANG) == given[i].pid) {
            close(given[i].fd);
            given[i] = given[--givens];
        }
}

static struct sockaddr_storage to;
static socklen_t to_size;

static void parse(const char *address, const char *port)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(address, port, &hints, &found))
        fail(address);
    memcpy(&to, found->ai_addr, found->ai_addrlen);
    to_size = found->ai_addrlen;
    freeaddrinfo(found);
}

static int make(int protocol)
{
    int one = 1, fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    socklen_t size = sizeof to;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, (struct sockaddr *)&to, to_size) || listen(fd, 128) || getsockname(fd, (struct sockaddr *)&to, &size))
        fail("listen");
    return fd;
}

static int manage(void)
{
    char line[512], command[16], one[400], two[16];
    static char procs[400];
    int listener = -1;
    pid_t service = -1;
    setvbuf(stdin, NULL, _IONBF, 0);
    for (bool accepts = false;;) {
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
        if (poll(fds, accepts ? 2 : 1, 10) < 0)
            fail("poll");
        reap();
        if (accepts && fds[1].revents)
            give(listener, procs);
        if (!fds[0].revents)
            continue;
        if (!fgets(line, sizeof line, stdin))
            return 0;
        int words = sscanf(line, "%15s %399s %15s", command, one, two);
        if (words == 3 && (strcmp(command, "listen") == 0 || strcmp(command, "mptcp") == 0)) {
            parse(one, two);
            listener = make(*command == 'm' ? 262 : 0);
            answer("listening", ntohs(((struct sockaddr_in *)&to)->sin_port));
        } else if (words == 2 && strcmp(command, "start") == 0) {
            service = start(one);
            if (service == 0) {
                answer("started", getpid());
                serve(listener);
            }
        } else if (strcmp(command, "stop") == 0) {
            kill(service, SIGKILL);
            waitpid(service, NULL, 0);
            answer("stopped", 0);
        } else if (words == 2 && strcmp(command, "accept") == 0) {
            strcpy(procs, one);
            accepts = true;
            answer("accepting", 0);
        } else if (strcmp(command, "close") == 0) {
            close(listener);
            answer("closed", 0);
        } else {
            fprintf(stderr, "activate: not understood: %s", line);
            return 1;
        }
    }
}

static int connect_one(void)
{
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, to_size))
        fail("connect");
    return fd;
}

static void talk(int fd)
{
    char bytes[MESSAGE] = {0};
    if (send(fd, bytes, MESSAGE, MSG_NOSIGNAL) != MESSAGE || recv(fd, bytes, MESSAGE, MSG_WAITALL) != MESSAGE)
        fail("talk");
}

static void hang_up(int fd)
{
    char byte;
    shutdown(fd, SHUT_WR);
    /* The other end has closed, too. */
    if (read(fd, &byte, 1) != 0)
        fail("end");
    close(fd);
}

static int dial(void)
{
    char line[64], command[16];
    int held[MOST], count = 0, n;
    while (fgets(line, sizeof line, stdin)) {
        n = 0;
        sscanf(line, "%15s %d", command, &n);
        if (strcmp(command, "short") == 0)
            for (int i = 0; i < n; i++) {
                int fd = connect_one();
                talk(fd);
                hang_up(fd);
            }
        else if (strcmp(command, "connect") == 0) /* nobody need accept it yet */
            for (int i = 0; i < n && count < MOST; i++)
                held[count++] = connect_one();
        else if (strcmp(command, "talk") == 0)
            for (int i = 0; i < count; i++)
                talk(held[i]);
        else if (strcmp(command, "end") == 0)
            while (count > 0)
                hang_up(held[--count]);
        answer(command, n);
    }
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "manager") == 0)
        return manage();
    if (argc == 2 && strcmp(argv[1], "service") == 0)
        serve(3);
    if (argc == 4 && strcmp(argv[1], "dial") == 0) {
        parse(argv[2], argv[3]);
        return dial();
    }
    return 2;
}
