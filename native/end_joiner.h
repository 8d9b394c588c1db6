// SPDX-License-Identifier: Apache-2.0
// Joins what a batch tells of short connections. Where nothing was told of a connection before its end, that end alone
// says all of it; and where thousands of them end between the same two, all that becomes of them are sums. They are made
// here, at a few ns each, and each end is kept beside: whoever needs them one by one still has them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bpf/events.h"

namespace netvitals_native {

class EndJoiner {
public:
    // What a record may take in the buffer beside its own place.
    static constexpr size_t extra_bytes = sizeof(nv_ends) + 2 * sizeof(nv_ended);

    // A buffer is filled anew: records from its beginning on, what belongs to joined ones from its end down.
    void begin(uint8_t* buffer, size_t bytes);
    // Where the records must end.
    size_t limit() const { return limit_; }
    // The record at `place`, the last, for which and for extra_bytes there was room. True: it was added to one before it,
    // and its place is free.
    bool join(size_t place);
    // `bytes` of whole records (nv_conn) that are told as they are, and not the last of their connections.
    void told(const uint8_t* records, size_t bytes);

private:
    struct Slot {
        uint32_t batch = 0;  // another than batch_: free
        uint32_t place;      // of the record that others are added to
        uint32_t kind;       // that one's first
    };
    static constexpr size_t slots = 2048;  // a power of two
    static constexpr size_t probes = 4;

    void join_no_more();
    void tell(const nv_conn& record);
    bool is_first(const nv_conn& end) const;
    Slot* find(const nv_conn& end, bool* found);
    bool add(nv_conn* to, uint32_t kind, const nv_conn& end);
    nv_ends* ends_of(const nv_conn& joined) const { return reinterpret_cast<nv_ends*>(buffer_ + joined.id); }
    void keep(nv_ends* ends, const nv_conn& end);
    template <typename T>
    T* take();

    uint8_t* buffer_ = nullptr;
    size_t limit_ = 0;
    uint32_t batch_ = 0;
    std::array<Slot, slots> slots_;
    // Ids rise by CPU and depth (next_id() in bpf/state.h): of what is above the highest told there nothing was told.
    std::vector<uint64_t> highest_told_;
};

}  // namespace netvitals_native
