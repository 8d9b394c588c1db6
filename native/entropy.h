// SPDX-License-Identifier: Apache-2.0
// Random numbers of the kernel, a system call for many of them.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <vector>

namespace netvitals_native {

class Entropy {
public:
    uint64_t next() {
        if (numbers_.empty()) {
            // Up to 256 bytes are given whole (getrandom(2)).
            numbers_.resize(32);
            while (getrandom(numbers_.data(), numbers_.size() * sizeof(uint64_t), 0) < 0) continue;
        }
        const uint64_t number = numbers_.back();
        numbers_.pop_back();
        return number;
    }

private:
    std::vector<uint64_t> numbers_;
};

}  // namespace netvitals_native
