// SPDX-License-Identifier: Apache-2.0
#include "end_joiner.h"

#include <cstring>
#include <limits>

namespace netvitals_native {
namespace {

constexpr unsigned number_bits = 38;  // of an id: see next_id() in bpf/state.h
constexpr uint64_t sources = uint64_t{1} << 15;

// All in which ends that are joined are equal, but for their kind.
struct Key {
    uint64_t words[7];

    explicit Key(const nv_conn& r) {
        const uint16_t port = r.direction == NV_OUTBOUND ? r.remote_port : r.local_port;
        words[0] = r.cgroup_id;
        words[1] = uint64_t{r.netns} << 32 | r.error;
        words[2] = uint64_t{port} << 32 | uint32_t{r.state} << 24 | uint32_t{r.direction} << 16 |
                   uint32_t{r.family} << 8 | r.flags;
        memcpy(words + 3, r.local, sizeof r.local);
        memcpy(words + 5, r.remote, sizeof r.remote);
    }

    bool operator==(const Key& other) const { return memcmp(words, other.words, sizeof words) == 0; }

    uint64_t hash() const {
        // Odd, and without a pattern in common; the products do not wait for each other.
        static constexpr uint64_t by[7] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb,
                                           0xd6e8feb86659fd93, 0xa0761d6478bd642f, 0xe7037ed1a0b428db,
                                           0x8ebc6af09c88c6e3};
        uint64_t sum = 0;
        for (int i = 0; i < 7; i++) sum += (words[i] ^ words[i] >> 32) * by[i];
        sum ^= sum >> 29;
        return sum * by[0] >> 32;
    }
};

bool fits(uint32_t a, uint32_t b) { return b <= std::numeric_limits<uint32_t>::max() - a; }

}  // namespace

void EndJoiner::begin(uint8_t* buffer, size_t bytes) {
    buffer_ = buffer;
    limit_ = bytes;
    join_no_more();
}

// Nothing is added to what is in the buffer.
void EndJoiner::join_no_more() {
    if (++batch_ != 0) return;
    slots_.fill({});
    batch_ = 1;
}

void EndJoiner::told(const uint8_t* records, size_t bytes) {
    for (size_t at = 0; at < bytes; at += sizeof(nv_conn)) tell(*reinterpret_cast<const nv_conn*>(records + at));
}

void EndJoiner::tell(const nv_conn& record) {
    const uint64_t source = record.id >> number_bits;
    if (source >= sources) return;
    if (source >= highest_told_.size()) highest_told_.resize(source + 1);
    if (record.id > highest_told_[source]) highest_told_[source] = record.id;
}

bool EndJoiner::is_first(const nv_conn& end) const {
    const uint64_t source = end.id >> number_bits;
    if (source >= sources || end.flags & NV_EXISTING || end.direction == NV_LISTENER) return false;
    return source >= highest_told_.size() ? end.id != 0 : end.id > highest_told_[source];
}

bool EndJoiner::join(size_t place) {
    const nv_conn& record = *reinterpret_cast<const nv_conn*>(buffer_ + place);
    // Whose the connections at an address are may be another from here on.
    if (record.kind < NV_CGROUP_MKDIR && record.direction == NV_LISTENER) join_no_more();
    if (record.kind != NV_END && record.kind != NV_FAIL) {
        if (record.kind < NV_CGROUP_MKDIR) tell(record);
        return false;
    }
    if (!is_first(record)) return false;
    bool found = false;
    Slot* slot = find(record, &found);
    if (found && add(reinterpret_cast<nv_conn*>(buffer_ + slot->place), slot->kind, record)) return true;
    if (slot) *slot = {batch_, static_cast<uint32_t>(place), record.kind};
    return false;
}

// Null: it is new, and there is no room.
EndJoiner::Slot* EndJoiner::find(const nv_conn& end, bool* found) {
    const Key key(end);
    const size_t hash = key.hash();
    for (size_t i = 0; i < probes; i++) {
        Slot& slot = slots_[(hash + i) & (slots - 1)];
        if (slot.batch != batch_) return &slot;
        *found = slot.kind == end.kind && Key(*reinterpret_cast<const nv_conn*>(buffer_ + slot.place)) == key;
        if (*found) return &slot;
    }
    return nullptr;
}

// False: a sum would not fit.
bool EndJoiner::add(nv_conn* to, uint32_t kind, const nv_conn& end) {
    if (!fits(to->segments_sent, end.segments_sent) || !fits(to->retrans_data, end.retrans_data) ||
        !fits(to->retrans_handshake, end.retrans_handshake))
        return false;
    if (to->kind != NV_ENDS) {
        auto* ends = take<nv_ends>();
        *ends = {};
        ends->kind = kind;
        keep(ends, *to);
        to->kind = NV_ENDS;
        to->id = static_cast<uint64_t>(reinterpret_cast<uint8_t*>(ends) - buffer_);
    }
    keep(ends_of(*to), end);
    to->connect_ns += end.connect_ns;
    to->bytes_sent += end.bytes_sent;
    to->bytes_received += end.bytes_received;
    to->segments_sent += end.segments_sent;
    to->retrans_data += end.retrans_data;
    to->retrans_handshake += end.retrans_handshake;
    return true;
}

void EndJoiner::keep(nv_ends* ends, const nv_conn& end) {
    auto* ended = take<nv_ended>();
    ended->next = 0;
    ended->unused = 0;
    ended->r = end;
    const auto place = static_cast<uint32_t>(reinterpret_cast<uint8_t*>(ended) - buffer_);
    if (ends->count == 0)
        ends->first = place;
    else
        reinterpret_cast<nv_ended*>(buffer_ + ends->last)->next = place;
    ends->last = place;
    ends->count++;
    ends->srtt_us += end.srtt_us;
    ends->with_srtt += end.srtt_us != 0;
}

template <typename T>
T* EndJoiner::take() {
    limit_ -= sizeof(T);
    return reinterpret_cast<T*>(buffer_ + limit_);
}

}  // namespace netvitals_native
