// SPDX-License-Identifier: Apache-2.0
// The two functions that a class is given: what it calls, and who hears what that throws.
#pragma once

#include <napi.h>

#include <initializer_list>

namespace netvitals_native {

class Callbacks {
public:
    Callbacks() = default;
    // `on_data` and onError of the options. Throws ERR_INVALID_OPTION.
    Callbacks(const Napi::Object& options, const char* on_data);

    // A throw concerns this call alone. A throw of onError itself is the process' to handle.
    void call(napi_env env, std::initializer_list<napi_value> args) const;
    void reset();

private:
    Napi::FunctionReference on_data_;
    Napi::FunctionReference on_error_;
};

}  // namespace netvitals_native
