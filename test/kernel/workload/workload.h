/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client and server programs of the kernel tests. For every connection both know how it
 * began, what it carried and how it ended, because each end is brought about on purpose; they
 * report that as tallies, one for each (direction, address, port).
 */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Who ends a connection, and how. The request tells the server its part. */
enum end {
    END_MORE,            /* nobody: another request may follow */
    END_CLIENT_FIN,      /* client closes, then the server */
    END_SERVER_FIN,      /* server closes, then the client */
    END_HALF,            /* client shuts down writing; the server replies after that and closes */
    END_SERVER_HALF,     /* server shuts down writing: the client is in CLOSE_WAIT until it closes */
    END_CLIENT_RST,      /* client closes with SO_LINGER 0 */
    END_SERVER_RST,      /* server closes with SO_LINGER 0 */
    END_CLIENT_UNREAD,   /* client closes without reading the reply */
    END_SERVER_UNREAD,   /* server closes without reading the last bytes */
    END_CLIENT_UNSPEC,   /* client disconnects with connect(AF_UNSPEC) */
    END_CLIENT_HALF_RST, /* client shuts down writing, then resets: the server is in CLOSE_WAIT */
    END_SERVER_HALF_RST, /* client shuts down writing, the server resets from CLOSE_WAIT */
    END_KEEPALIVE,       /* END_MORE with keepalive at the server, which ends in ETIMEDOUT once cut off */
    END_UNACCEPTED,      /* the server never accepts; it closes its listener, which resets */
    ENDS,
};

/* Precedes every exchange. The client's `extra` bytes follow the reply (END_SERVER_UNREAD). */
struct request {
    uint32_t magic;
    uint32_t end; /* enum end */
    uint32_t up;
    uint32_t down; /* at least 1: the reply tells the client that all it sent was read */
    uint32_t extra;
};
#define REQUEST_MAGIC 0x6e76726bu
#define BODY_MAX (256 * 1024)
#define EXTRA_BYTES 700

enum failure { FAIL_REFUSED, FAIL_TIMED_OUT, FAIL_HOST, FAIL_NET, FAIL_ABORTED, FAIL_ADDRESS, FAIL_OTHER, FAILURES };
enum broken { BROKEN_RESET, BROKEN_TIMED_OUT, BROKEN_ABORTED, BROKENS };

struct tally {
    bool outbound;
    int family; /* AF_INET or AF_INET6; IPv4-mapped is AF_INET */
    uint16_t port;
    char address[INET6_ADDRSTRLEN];
    int64_t open; /* ESTABLISHED or CLOSE_WAIT now; not reset by a report */
    uint64_t opened;
    uint64_t failed[FAILURES];
    uint64_t no_syn; /* of the failed ones: not one SYN was sent */
    uint64_t soft;   /* of the failed ones: the kernel went on trying when the program took its error and closed */
    uint64_t unseen; /* connect() calls that the routing table refused: nothing was tried */
    uint64_t broken[BROKENS];
    uint64_t sent;     /* bytes that the peer's kernel acknowledged */
    uint64_t received; /* bytes that arrived, read or not */
    uint64_t retrans_data;
    uint64_t retrans_handshake;
};

struct options {
    struct sockaddr_storage to;
    enum end end;
    char how[24]; /* how to connect: client.c */
    char fd[8];   /* what happens to the descriptor: plain, dup, scm, fork, exit */
    unsigned count, up, down, bind_port, retry_port, wait_ms, parallel, for_ms, user_timeout_ms;
    unsigned port, family, copies;
    bool mptcp, mapped, unrouted, tfo, idle;
    char words[256]; /* as given, for children made by exec */
};

/* options.c */
extern const char *const end_names[ENDS];
bool options_parse(char *line, char *command, size_t command_size, struct options *options);

/* tally.c: in memory shared with forked children. */
struct tally *tally_of(bool outbound, const struct sockaddr_storage *address, uint16_t port);
void tally_report(void); /* prints {"tallies": […], "notes": […]} and begins anew */
/* What should not have happened: goes into the report and fails the test. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* net.c */
bool address_parse(const char *text, struct sockaddr_storage *out);
struct sockaddr_storage address_mapped(const struct sockaddr_storage *v4);
socklen_t address_len(const struct sockaddr_storage *address);
void set_port(struct sockaddr_storage *address, uint16_t port);
uint32_t total_retrans(int fd);
bool in_handshake(int fd); /* SYN_SENT */
int unacked(int fd);  /* bytes written and not acknowledged yet */
int readable(int fd); /* bytes arrived and not read yet */
void ack_now(int fd); /* sends a delayed ACK at once */
void reset_on_close(int fd);
void set_int(int fd, int level, int name, int value);
int socket_error(int fd); /* SO_ERROR, which it clears */
uint64_t now_ms(void);
bool wait_amount(int (*amount)(int), int fd, int wanted); /* at most 5 s */

/* io.c: `style` chooses among the system calls that do the same. False: errno says why (0: end of file). */
bool send_all(int fd, const void *buffer, size_t length, unsigned style);
bool receive_all(int fd, size_t length, unsigned style);
bool receive_eof(int fd);
const uint8_t *body(void); /* BODY_MAX bytes to send */

/* uring.c: -1 with errno; ENOSYS or EPERM where io_uring may not be used. */
int uring_connect(int fd, const struct sockaddr_storage *address);

/* dial.c: a connected socket, or -1 with errno. TCP Fast Open may have sent the first `*sent` bytes of payload. */
int dial(const struct options *options, const void *payload, size_t length, size_t *sent, unsigned style);
int dial_socket(const struct options *options);
void count_failure(struct tally *tally, const struct options *options, int error);

/* client.c, attempts.c, hold.c, server.c: the commands. */
struct tally *destination(const struct options *options);
void client_connect(const struct options *options);
int client_child(const struct options *options); /* one connection; exit status 0: all went well */
void attempts_batch(const struct options *options);
void attempts_abort(const struct options *options);
void hold_keep(int fd, struct tally *tally, uint32_t retrans_base);
void hold_exchange(const struct options *options);
void hold_stall(const struct options *options);
void hold_end(const struct options *options);
void hold_observe(void);
int server_run(void);

/* client.c, for sockets kept by hold.c too: a request and its answer; the client's part of an end. */
bool exchange(int fd, struct tally *tally, enum end end, unsigned up, unsigned down, unsigned style);
void finish(int fd, struct tally *tally, enum end end);

#endif
