// SPDX-License-Identifier: Apache-2.0
// The probes of one socket that are on their way, and for a while those that ended: what then comes is late or a
// duplicate, and neither foreign nor the answer to another. Numbered by the sequence of their packets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "clocks.h"

namespace netvitals_native {

struct Flight {
    enum State : uint8_t { none, under_way, answered, lost };
    Moment sent;
    int64_t since_ns;  // what its timeout counts from, monotonic
    uint64_t nonce;
    uint32_t target;
    uint16_t sequence;
    State state;
    bool delayed;  // something came between its stamp and its packet
    uint8_t address[16];
};

class Flights {
public:
    size_t under_way() const { return under_way_; }

    // A place for the next sequence; nullptr: all 65,536 are on their way.
    Flight* begin(int64_t now_ns) {
        if (slots_.empty()) slots_.resize(smallest);
        while (!is_free(slots_[next_ & mask()], now_ns)) {
            if (slots_.size() < largest)
                grow();
            else if (slots_[next_ & mask()].state == Flight::under_way)
                return nullptr;
            else
                break;
        }
        if (next_ - first_ == slots_.size()) skip_ended();
        Flight& flight = slots_[next_ & mask()];
        flight = {};
        flight.sequence = static_cast<uint16_t>(next_++);
        flight.state = Flight::under_way;
        under_way_++;
        return &flight;
    }

    void end(Flight* flight, Flight::State state) {
        flight->state = state;
        under_way_--;
    }

    // One that is on its way, or ended; nullptr: there was none lately.
    Flight* find(uint16_t sequence) {
        if (slots_.empty()) return nullptr;
        Flight& flight = slots_[sequence & mask()];
        return flight.state != Flight::none && flight.sequence == sequence ? &flight : nullptr;
    }

    // Of those on their way; nullptr: there is none.
    Flight* oldest() {
        skip_ended();
        return first_ == next_ ? nullptr : &slots_[first_ & mask()];
    }

    template <typename Use>
    void each_under_way(Use use) {
        for (Flight& flight : slots_)
            if (flight.state == Flight::under_way) use(&flight);
    }

private:
    static constexpr size_t smallest = 64, largest = 65'536;
    static constexpr int64_t remember_ns = 5 * second_ns;

    uint32_t mask() const { return static_cast<uint32_t>(slots_.size()) - 1; }

    static bool is_free(const Flight& flight, int64_t now_ns) {
        return flight.state == Flight::none ||
               (flight.state != Flight::under_way && now_ns - flight.since_ns > remember_ns);
    }

    void grow() {
        std::vector<Flight> more(slots_.size() * 2);
        for (const Flight& flight : slots_)
            if (flight.state != Flight::none) more[flight.sequence & (more.size() - 1)] = flight;
        slots_.swap(more);
    }

    void skip_ended() {
        while (first_ != next_ && slots_[first_ & mask()].state != Flight::under_way) first_++;
    }

    std::vector<Flight> slots_;  // a power of two of them
    uint32_t next_ = 1;
    uint32_t first_ = 1;  // none on its way is older
    size_t under_way_ = 0;
};

}  // namespace netvitals_native
