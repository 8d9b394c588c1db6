// SPDX-License-Identifier: Apache-2.0
#include "callbacks.h"

#include "values.h"

namespace netvitals_native {
namespace {

// What the function threw, or nullptr. Raw, because node-addon-api takes a call that failed without an exception (the
// environment is ending, no JavaScript runs any more) for a fatal error.
napi_value thrown_by(napi_env env, const Napi::FunctionReference& function, std::initializer_list<napi_value> args) {
    napi_value undefined, result, error = nullptr;
    napi_get_undefined(env, &undefined);
    if (napi_call_function(env, undefined, function.Value(), args.size(), args.begin(), &result) == napi_ok) return nullptr;
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending) napi_get_and_clear_last_exception(env, &error);
    return error;
}

}  // namespace

Callbacks::Callbacks(const Napi::Object& options, const char* on_data)
    : on_data_(Napi::Persistent(function_option(options, on_data))),
      on_error_(Napi::Persistent(function_option(options, "onError"))) {}

void Callbacks::call(napi_env env, std::initializer_list<napi_value> args) const {
    if (napi_value error = thrown_by(env, on_data_, args))
        if (napi_value second = thrown_by(env, on_error_, {error})) napi_fatal_exception(env, second);
}

void Callbacks::reset() {
    on_data_.Reset();
    on_error_.Reset();
}

}  // namespace netvitals_native
