// SPDX-License-Identifier: Apache-2.0
// Gives back the memory of code and constants that were used once: what is needed again comes from the page cache.
#pragma once

#include <napi.h>

namespace netvitals_native {

// releasePages(): a promise of the number of bytes that were resident and let go. On a thread of the pool.
Napi::Value release_pages(const Napi::CallbackInfo& info);

}  // namespace netvitals_native
