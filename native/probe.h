// SPDX-License-Identifier: Apache-2.0
// A probe as JavaScript asks for it and is told of it: ProbeRequestLayout, ProbeResultLayout of kernel/native.ts.
#pragma once

#include <cstdint>

namespace netvitals_native {

struct ProbeRequest {
    uint32_t netns;
    uint32_t target;
    uint32_t delay_us;
    uint32_t zone;
    uint8_t family;
    uint8_t reserved[3];
    uint8_t address[16];
};
static_assert(sizeof(ProbeRequest) == 36);

struct ProbeResult {
    double rtt_seconds;
    uint32_t target;
    int32_t error;
    uint8_t outcome;
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint8_t reserved[5];
};
static_assert(sizeof(ProbeResult) == 24);

}  // namespace netvitals_native
