// SPDX-License-Identifier: Apache-2.0
// How a thread tells the end of what was asked of it for a promise.
#pragma once

#include <cstdint>
#include <string>

namespace netvitals_native {

struct Ending {
    uint32_t id = 0;  // 0: the message is about something else
    double value = 0;
    std::string code, error;  // an empty code is success
};

}  // namespace netvitals_native
