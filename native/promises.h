// SPDX-License-Identifier: Apache-2.0
// The promises that JavaScript was given and that nothing has settled yet, by number.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <string>

#include "ending.h"

namespace netvitals_native {

class Promises {
public:
    Napi::Value add(Napi::Env env, uint32_t id);
    // Nothing where there is none of that number.
    void settle(napi_env env, const Ending& ending);
    void reject_all(napi_env env, const std::string& code, const std::string& message);

private:
    std::map<uint32_t, napi_deferred> pending_;
};

}  // namespace netvitals_native
