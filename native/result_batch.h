// SPDX-License-Identifier: Apache-2.0
// Results until enough are together to be told, or the first has waited long enough: a call into JavaScript costs more
// than what it tells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "clocks.h"
#include "probe.h"

namespace netvitals_native {

class ResultBatch {
public:
    void add(const ProbeResult& result) {
        if (results_.empty()) due_ns_ = monotonic_ns() + wait_ns;
        results_.push_back(result);
    }

    // When they are to be told at the latest.
    int64_t due_ns() const { return results_.empty() ? never_ns : due_ns_; }

    bool is_due() const {
        return !results_.empty() && (results_.size() >= enough || monotonic_ns() >= due_ns_);
    }

    std::vector<ProbeResult> take() { return std::exchange(results_, {}); }

private:
    static constexpr int64_t wait_ns = 100 * millisecond_ns;
    static constexpr size_t enough = 4'096;

    std::vector<ProbeResult> results_;
    int64_t due_ns_ = 0;
};

}  // namespace netvitals_native
