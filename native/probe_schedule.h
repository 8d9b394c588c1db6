// SPDX-License-Identifier: Apache-2.0
// What is to be sent and when, in a time that stands still while the process, or the machine, is stopped: what is
// overdue after that keeps its distances.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "clocks.h"
#include "probe.h"

namespace netvitals_native {

class ProbeSchedule {
public:
    // Their delays count from `from_ns`.
    void add(const std::vector<ProbeRequest>& requests, int64_t from_ns);
    // When the earliest is due.
    int64_t due_ns() const { return due_.empty() ? never_ns : due_.front().at_ns + slip_ns_; }
    // The earliest, if it is due, or soon enough to share the wake-up.
    bool take(ProbeRequest* request);

    // Takes out those of a namespace and calls use(request) for each.
    template <typename Use>
    void remove(uint32_t netns, Use use) {
        const auto gone =
            std::partition(due_.begin(), due_.end(), [&](const Due& due) { return due.request.netns != netns; });
        for (auto due = gone; due != due_.end(); due++) use(due->request);
        due_.erase(gone, due_.end());
        std::make_heap(due_.begin(), due_.end(), later);
    }

private:
    struct Due {
        int64_t at_ns;  // in the schedule's time
        ProbeRequest request;
    };
    static bool later(const Due& a, const Due& b) { return a.at_ns > b.at_ns; }

    std::vector<Due> due_;  // a heap, the earliest first
    int64_t slip_ns_ = 0;   // what the schedule's time is behind the monotonic clock
};

}  // namespace netvitals_native
