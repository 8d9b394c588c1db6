/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX 65536
#define RECEIVE_BUFFER (32 << 20)
/* A packet's length comes only where its bytes are cut short. */
#define ENOUGH_FOR_LENGTH 4

void fail(const char *what)
{
    fprintf(stderr, "line: %s: %s\n", what, strerror(errno));
    exit(1);
}

int queue_fd;
static uint16_t queue_number;

struct message {
    struct nlmsghdr header;
    struct nfgenmsg nfgen;
    uint8_t attributes[64 + PACKET_MAX];
};

static void begin_message(struct message *m, int type, int flags)
{
    memset(m, 0, NLMSG_LENGTH(sizeof m->nfgen));
    m->header.nlmsg_len = NLMSG_LENGTH(sizeof m->nfgen);
    m->header.nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | type;
    m->header.nlmsg_flags = NLM_F_REQUEST | flags;
    m->nfgen.res_id = htons(queue_number);
}

static void add_attribute(struct message *m, uint16_t type, const void *data, size_t size)
{
    struct nlattr *attribute = (void *)((uint8_t *)m + NLMSG_ALIGN(m->header.nlmsg_len));
    attribute->nla_type = type;
    attribute->nla_len = NLA_HDRLEN + size;
    memcpy((uint8_t *)attribute + NLA_HDRLEN, data, size);
    m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + NLA_ALIGN(attribute->nla_len);
}

static void send_message(const struct message *m)
{
    if (send(queue_fd, m, m->header.nlmsg_len, 0) < 0)
        fail("netlink");
}

static void configure(struct message *m, const char *what)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
    } answer;
    send_message(m);
    if (recv(queue_fd, &answer, sizeof answer, 0) < 0)
        fail(what);
    errno = -answer.error.error;
    if (errno)
        fail(what);
}

void queue_open(uint16_t number, bool whole)
{
    static struct message m;
    queue_number = number;
    struct nfqnl_msg_config_cmd bind_command = {.command = NFQNL_CFG_CMD_BIND};
    struct nfqnl_msg_config_params params = {
        .copy_range = htonl(whole ? 0xffff : ENOUGH_FOR_LENGTH),
        .copy_mode = NFQNL_COPY_PACKET,
    };
    uint32_t flags = htonl(whole ? 0 : NFQA_CFG_F_GSO), mask = htonl(NFQA_CFG_F_GSO);
    uint32_t longest = htonl(QUEUE_MAX);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    queue_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (queue_fd < 0 || bind(queue_fd, (struct sockaddr *)&address, sizeof address))
        fail("netlink socket");
    setsockopt(queue_fd, SOL_SOCKET, SO_RCVBUFFORCE, &(int){RECEIVE_BUFFER}, sizeof(int));
    setsockopt(queue_fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &(int){1}, sizeof(int));

    begin_message(&m, NFQNL_MSG_CONFIG, NLM_F_ACK);
    add_attribute(&m, NFQA_CFG_CMD, &bind_command, sizeof bind_command);
    configure(&m, "the queue is taken, or the kernel has no nfnetlink_queue");
    begin_message(&m, NFQNL_MSG_CONFIG, NLM_F_ACK);
    add_attribute(&m, NFQA_CFG_PARAMS, &params, sizeof params);
    add_attribute(&m, NFQA_CFG_QUEUE_MAXLEN, &longest, sizeof longest);
    add_attribute(&m, NFQA_CFG_FLAGS, &flags, sizeof flags);
    add_attribute(&m, NFQA_CFG_MASK, &mask, sizeof mask);
    configure(&m, "the queue's settings");
}

void queue_verdict(uint32_t id, uint32_t verdict, const void *bytes, uint32_t size)
{
    static struct message m;
    struct nfqnl_msg_verdict_hdr head = {.verdict = htonl(verdict), .id = htonl(id)};
    begin_message(&m, NFQNL_MSG_VERDICT, 0);
    add_attribute(&m, NFQA_VERDICT_HDR, &head, sizeof head);
    if (size > 0)
        add_attribute(&m, NFQA_PAYLOAD, bytes, size);
    send_message(&m);
}

static void on_message(struct nlmsghdr *header, void (*on_packet)(const struct packet *))
{
    struct nlattr *attribute = (void *)((uint8_t *)NLMSG_DATA(header) + NLMSG_ALIGN(sizeof(struct nfgenmsg)));
    const uint8_t *end = (uint8_t *)header + header->nlmsg_len;
    struct packet packet = {0};
    bool found = false;
    while ((uint8_t *)attribute + NLA_HDRLEN <= end && attribute->nla_len >= NLA_HDRLEN) {
        uint8_t *data = (uint8_t *)attribute + NLA_HDRLEN;
        switch (attribute->nla_type & NLA_TYPE_MASK) {
        case NFQA_PACKET_HDR:
            packet.id = ntohl(((struct nfqnl_msg_packet_hdr *)data)->packet_id);
            found = true;
            break;
        case NFQA_PAYLOAD:
            packet.bytes = data;
            packet.size = attribute->nla_len - NLA_HDRLEN;
            break;
        case NFQA_CAP_LEN:
            packet.length = ntohl(*(uint32_t *)data);
            break;
        }
        attribute = (void *)((uint8_t *)attribute + NLA_ALIGN(attribute->nla_len));
    }
    if (packet.length == 0)
        packet.length = packet.size;
    if (found)
        on_packet(&packet);
}

void queue_receive(void (*on_packet)(const struct packet *))
{
    static uint8_t buffer[PACKET_MAX + 4096] __attribute__((aligned(NLMSG_ALIGNTO)));
    for (;;) {
        ssize_t left = recv(queue_fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (left < 0)
            return;
        for (struct nlmsghdr *header = (void *)buffer; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
            if (header->nlmsg_type == ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET))
                on_message(header, on_packet);
    }
}

