// SPDX-License-Identifier: Apache-2.0
// What JavaScript hands over, checked, and what it gets back when that is wrong: shared by the classes it holds.
#pragma once

#include <napi.h>

#include <initializer_list>
#include <string>

#include "fd.h"

namespace netvitals_native {

Napi::Error coded(Napi::Env env, const std::string& code, const std::string& message);

// How a wrong value is shown.
std::string found(const Napi::Value& value);

// These throw ERR_INVALID_OPTION.
Napi::Object options_argument(const Napi::CallbackInfo& info, const char* of);
uint32_t option(const Napi::Object& options, const char* name);
Napi::Function function_option(const Napi::Object& options, const char* name);
// A copy of the descriptor: the caller may close its own before a thread comes to it. -1: none, for the process' own.
Fd netns_argument(const Napi::CallbackInfo& info, const char* method);

// What the function threw, or nullptr. Raw, because node-addon-api takes a call that failed without an exception (the
// environment is ending, no JavaScript runs any more) for a fatal error.
napi_value thrown_by(napi_env env, const Napi::FunctionReference& function, std::initializer_list<napi_value> args);
void reject(napi_env env, napi_deferred promise, const std::string& code, const std::string& message);

}  // namespace netvitals_native
