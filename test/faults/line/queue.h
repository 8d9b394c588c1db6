/* SPDX-License-Identifier: Apache-2.0 */
/* The NFQUEUE of a network namespace: include/uapi/linux/netfilter/nfnetlink_queue.h. */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#define QUEUE_MAX 65536 /* packets that may wait for their verdict */

struct packet {
    uint32_t id, length;
    uint8_t *bytes; /* from its IP header on; the first few unless the queue is opened for whole packets */
    uint32_t size;
};

extern int queue_fd;

/* With `whole`, packets come with all their bytes, one by one. Otherwise an offloaded one is one, as it is for netem. */
void queue_open(uint16_t number, bool whole);
void queue_receive(void (*on_packet)(const struct packet *)); /* all that wait */
void queue_verdict(uint32_t id, uint32_t verdict, const void *bytes, uint32_t size); /* with other bytes, or NULL, 0 */
void fail(const char *what);                                                         /* with errno, and ends */

#endif
