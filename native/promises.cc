// SPDX-License-Identifier: Apache-2.0
#include "promises.h"

#include <utility>

namespace netvitals_native {
namespace {

void reject(napi_env env, napi_deferred promise, const std::string& code, const std::string& message) {
    napi_value code_value, message_value, error;
    napi_create_string_utf8(env, code.c_str(), code.size(), &code_value);
    napi_create_string_utf8(env, message.c_str(), message.size(), &message_value);
    if (napi_create_error(env, code_value, message_value, &error) == napi_ok) napi_reject_deferred(env, promise, error);
}

}  // namespace

Napi::Value Promises::add(Napi::Env env, uint32_t id) {
    napi_deferred deferred;
    napi_value promise;
    if (napi_create_promise(env, &deferred, &promise) != napi_ok) throw Napi::Error::New(env);
    pending_[id] = deferred;
    return Napi::Value(env, promise);
}

void Promises::settle(napi_env env, const Ending& ending) {
    auto found = pending_.find(ending.id);
    if (found == pending_.end()) return;
    napi_deferred deferred = found->second;
    pending_.erase(found);
    if (!ending.code.empty()) return reject(env, deferred, ending.code, ending.error);
    napi_value value;
    napi_create_double(env, ending.value, &value);
    napi_resolve_deferred(env, deferred, value);
}

void Promises::reject_all(napi_env env, const std::string& code, const std::string& message) {
    for (auto& [id, deferred] : std::exchange(pending_, {})) reject(env, deferred, code, message);
}

}  // namespace netvitals_native
