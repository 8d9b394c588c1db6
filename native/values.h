// SPDX-License-Identifier: Apache-2.0
// What JavaScript hands over, checked, and what it gets back when that is wrong: shared by the classes it holds.
#pragma once

#include <napi.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "fd.h"

namespace netvitals_native {

Napi::Error coded(Napi::Env env, const std::string& code, const std::string& message);

// How a wrong value is shown.
std::string found(const Napi::Value& value);

// These throw ERR_INVALID_OPTION.
Napi::Object options_argument(const Napi::CallbackInfo& info, const char* of);
uint32_t integer_option(const Napi::Object& options, const char* name, uint32_t least, uint32_t most);
bool boolean_option(const Napi::Object& options, const char* name);  // false where it is absent
Napi::Function function_option(const Napi::Object& options, const char* name);
// A copy of the descriptor: the caller may close its own before a thread comes to it. -1: none, for the process' own.
Fd netns_argument(const Napi::CallbackInfo& info, const char* method);
// Of method(requests, count): the count, where that many of `request_bytes` are there.
size_t requests_count(const Napi::CallbackInfo& info, const char* method, size_t request_bytes);

// Of method(requests, count): a copy of them.
template <typename Request>
std::vector<Request> requests_argument(const Napi::CallbackInfo& info, const char* method) {
    std::vector<Request> requests(requests_count(info, method, sizeof(Request)));
    if (!requests.empty())
        memcpy(requests.data(), info[0].As<Napi::Uint8Array>().Data(), requests.size() * sizeof(Request));
    return requests;
}

}  // namespace netvitals_native
