// SPDX-License-Identifier: Apache-2.0
// What a part without JavaScript throws: a code for programs, a message for people.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace netvitals_native {

struct CodedError : std::runtime_error {
    CodedError(std::string code, const std::string& message) : std::runtime_error(message), code(std::move(code)) {}
    std::string code;
};

}  // namespace netvitals_native
