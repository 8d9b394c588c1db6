// SPDX-License-Identifier: Apache-2.0
#include <napi.h>

#include "bpf/events.h"
#include "conntrack.h"
#include "pages.h"
#include "prober.h"
#include "tracer.h"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
    Napi::Object layout = Napi::Object::New(env);
    layout.Set("conn", static_cast<double>(sizeof(nv_conn)));
    layout.Set("cgroup", static_cast<double>(sizeof(nv_cgroup)));
    layout.Set("ends", static_cast<double>(sizeof(nv_ends)));
    layout.Set("ended", static_cast<double>(sizeof(nv_ended)));
    layout.Set("conntrackRequest", static_cast<double>(sizeof(netvitals_native::ConntrackRequest)));
    layout.Set("conntrackAnswer", static_cast<double>(sizeof(netvitals_native::ConntrackAnswer)));
    layout.Set("probeRequest", static_cast<double>(sizeof(netvitals_native::ProbeRequest)));
    layout.Set("probeResult", static_cast<double>(sizeof(netvitals_native::ProbeResult)));
    exports.Set("layout", layout);
    exports.Set("Conntrack", netvitals_native::Conntrack::define(env));
    exports.Set("Prober", netvitals_native::Prober::define(env));
    exports.Set("Tracer", netvitals_native::Tracer::define(env));
    exports.Set("releasePages", Napi::Function::New<netvitals_native::release_pages>(env, "releasePages"));
    return exports;
}

}  // namespace

NODE_API_MODULE(netvitals, init)
