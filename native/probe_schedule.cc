// SPDX-License-Identifier: Apache-2.0
#include "probe_schedule.h"

namespace netvitals_native {
namespace {

// What is due within this shares a wake-up, which costs more than a send.
constexpr int64_t together_ns = 10 * millisecond_ns;
// This late is not a busy machine but a process, or a machine, that was stopped.
constexpr int64_t pause_ns = 100 * millisecond_ns;

}  // namespace

void ProbeSchedule::add(const std::vector<ProbeRequest>& requests, int64_t from_ns) {
    for (const ProbeRequest& request : requests) {
        due_.push_back({from_ns - slip_ns_ + request.delay_us * 1'000ll, request});
        std::push_heap(due_.begin(), due_.end(), later);
    }
}

bool ProbeSchedule::take(ProbeRequest* request) {
    if (due_.empty()) return false;
    const int64_t late_ns = monotonic_ns() - due_ns();
    if (late_ns < -together_ns) return false;
    if (late_ns > pause_ns) slip_ns_ += late_ns;
    std::pop_heap(due_.begin(), due_.end(), later);
    *request = due_.back().request;
    due_.pop_back();
    return true;
}

}  // namespace netvitals_native
