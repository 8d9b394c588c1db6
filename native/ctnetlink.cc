// SPDX-License-Identifier: Apache-2.0
#include "ctnetlink.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace netvitals_native {
namespace {

// An answer of the kernel comes within the send itself; this bounds what a broken one could take.
constexpr timeval answer_timeout = {0, 500'000};
constexpr uint16_t type_mask = static_cast<uint16_t>(NLA_TYPE_MASK);

// Appends attributes to a message in a buffer that is large enough for the one message that there is.
class Message {
public:
    Message(uint8_t family, uint32_t sequence) {
        header()->nlmsg_len = NLMSG_LENGTH(sizeof(nfgenmsg));
        header()->nlmsg_type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET;
        header()->nlmsg_flags = NLM_F_REQUEST;
        header()->nlmsg_seq = sequence;
        auto* netfilter = static_cast<nfgenmsg*>(NLMSG_DATA(header()));
        netfilter->nfgen_family = family;
        netfilter->version = NFNETLINK_V0;
    }

    void put(uint16_t type, const void* value, uint16_t length) {
        nlattr* attribute = next(type);
        attribute->nla_len = NLA_HDRLEN + length;
        memcpy(reinterpret_cast<uint8_t*>(attribute) + NLA_HDRLEN, value, length);
        header()->nlmsg_len += NLA_ALIGN(attribute->nla_len);
    }

    nlattr* begin(uint16_t type) {
        nlattr* nest = next(type | NLA_F_NESTED);
        header()->nlmsg_len += NLA_HDRLEN;
        return nest;
    }

    void end(nlattr* nest) {
        nest->nla_len = static_cast<uint16_t>(bytes_ + header()->nlmsg_len - reinterpret_cast<uint8_t*>(nest));
    }

    const uint8_t* data() const { return bytes_; }
    size_t size() const { return reinterpret_cast<const nlmsghdr*>(bytes_)->nlmsg_len; }

private:
    nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(bytes_); }
    nlattr* next(uint16_t type) {
        auto* attribute = reinterpret_cast<nlattr*>(bytes_ + header()->nlmsg_len);
        attribute->nla_type = type;
        return attribute;
    }
    alignas(nlmsghdr) uint8_t bytes_[256] = {};
};

// Calls `visit(type, bytes, length)` for each attribute that lies whole in these bytes.
template <typename Visit>
void each_attribute(const uint8_t* bytes, size_t length, Visit visit) {
    while (length >= NLA_HDRLEN) {
        nlattr attribute;
        memcpy(&attribute, bytes, sizeof(attribute));
        if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > length) return;
        visit(attribute.nla_type & type_mask, bytes + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN);
        const size_t step = NLA_ALIGN(attribute.nla_len);
        if (step >= length) return;
        bytes += step;
        length -= step;
    }
}

// The source of a reply: who answers.
bool read_reply(const nlmsghdr* header, Endpoint* answered) {
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof(nfgenmsg))) return false;
    const auto* payload = static_cast<const uint8_t*>(NLMSG_DATA(header)) + NLMSG_ALIGN(sizeof(nfgenmsg));
    bool address = false, port = false;
    auto in_ip = [&](int type, const uint8_t* value, size_t length) {
        if (!(type == CTA_IP_V4_SRC && length == 4) && !(type == CTA_IP_V6_SRC && length == 16)) return;
        memcpy(answered->address, value, length);
        address = true;
    };
    auto in_protocol = [&](int type, const uint8_t* value, size_t length) {
        if (type != CTA_PROTO_SRC_PORT || length != 2) return;
        answered->port = static_cast<uint16_t>(value[0] << 8 | value[1]);
        port = true;
    };
    auto in_tuple = [&](int type, const uint8_t* value, size_t length) {
        if (type == CTA_TUPLE_IP) each_attribute(value, length, in_ip);
        if (type == CTA_TUPLE_PROTO) each_attribute(value, length, in_protocol);
    };
    each_attribute(payload, header->nlmsg_len - NLMSG_LENGTH(sizeof(nfgenmsg)),
                   [&](int type, const uint8_t* value, size_t length) {
                       if (type == CTA_TUPLE_REPLY) each_attribute(value, length, in_tuple);
                   });
    return address && port;
}

bool built_in() {
    FILE* symbols = fopen("/proc/kallsyms", "re");
    if (symbols == nullptr) return false;
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof(line), symbols)) found = strstr(line, " ctnetlink_get_conntrack") != nullptr;
    fclose(symbols);
    return found;
}

// Whether this kernel has ctnetlink now. Opening its socket on a kernel that has it as a module would load that.
bool ctnetlink_present() {
    if (access("/sys/module/nf_conntrack_netlink", F_OK) == 0) return true;
    // Built in it has no folder there, as it has no parameters.
    static const bool there = built_in();
    return there;
}

}  // namespace

CtSocket::CtSocket() {
    if (!ctnetlink_present()) {
        error_ = EOPNOTSUPP;
        return;
    }
    fd_ = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    if (!fd_) {
        error_ = errno;
        return;
    }
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &answer_timeout, sizeof(answer_timeout));
}

int CtSocket::lookup(const Tuple& tuple, Endpoint* answered) {
    if (!fd_) return error_;
    const bool v4 = tuple.family == 4;
    const uint16_t length = v4 ? 4 : 16;
    const uint16_t source_port = htons(tuple.source_port), destination_port = htons(tuple.destination_port);
    const uint8_t protocol = IPPROTO_TCP;

    Message message(v4 ? AF_INET : AF_INET6, ++sequence_);
    nlattr* original = message.begin(CTA_TUPLE_ORIG);
    nlattr* ip = message.begin(CTA_TUPLE_IP);
    message.put(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, tuple.source, length);
    message.put(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, tuple.destination, length);
    message.end(ip);
    nlattr* ports = message.begin(CTA_TUPLE_PROTO);
    message.put(CTA_PROTO_NUM, &protocol, sizeof(protocol));
    message.put(CTA_PROTO_SRC_PORT, &source_port, sizeof(source_port));
    message.put(CTA_PROTO_DST_PORT, &destination_port, sizeof(destination_port));
    message.end(ports);
    message.end(original);

    if (send(fd_.get(), message.data(), message.size(), 0) < 0) return errno;
    for (;;) {
        alignas(nlmsghdr) uint8_t buffer[8192];
        const ssize_t received = recv(fd_.get(), buffer, sizeof(buffer), 0);
        if (received < 0 && errno == EINTR) continue;
        if (received < 0) return errno;
        const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
        if (!NLMSG_OK(header, static_cast<size_t>(received))) return EBADMSG;
        if (header->nlmsg_seq != sequence_) continue;  // of a lookup that was given up
        if (header->nlmsg_type != NLMSG_ERROR) return read_reply(header, answered) ? 0 : EBADMSG;
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) return EBADMSG;
        return -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
    }
}

}  // namespace netvitals_native
