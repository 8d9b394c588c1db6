// SPDX-License-Identifier: Apache-2.0
// Both clocks at one moment. What is between them changes only when somebody sets the realtime clock: slewing (adjtimex)
// moves both.
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace netvitals_native {

constexpr int64_t millisecond_ns = 1'000'000;
constexpr int64_t second_ns = 1'000 * millisecond_ns;
constexpr int64_t never_ns = std::numeric_limits<int64_t>::max();

inline int64_t clock_ns(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

inline int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

struct Moment {
    int64_t realtime_ns;
    int64_t monotonic_ns;
    int64_t width_ns;  // realtime was read within this after monotonic
};

// The reading that nothing came between, of a few.
inline Moment both_clocks() {
    constexpr int64_t undisturbed_ns = 2'000;
    Moment moment;
    for (int tries = 0; tries < 4; tries++) {
        moment.monotonic_ns = monotonic_ns();
        moment.realtime_ns = clock_ns(CLOCK_REALTIME);
        moment.width_ns = monotonic_ns() - moment.monotonic_ns;
        if (moment.width_ns < undisturbed_ns) break;
    }
    return moment;
}

// Whether the realtime clock was set between the two.
inline bool stepped(const Moment& a, const Moment& b) {
    constexpr int64_t rounding_ns = 1'000;
    const int64_t change = (b.realtime_ns - b.monotonic_ns) - (a.realtime_ns - a.monotonic_ns);
    const int64_t unsure = a.width_ns + b.width_ns + rounding_ns;
    return change > unsure || change < -unsure;
}

}  // namespace netvitals_native
