// SPDX-License-Identifier: Apache-2.0
// A thread's visits to other network namespaces.
#pragma once

#include <fcntl.h>
#include <sched.h>

#include <cerrno>

#include "fd.h"

namespace netvitals_native {

// What a setns() that failed is told as.
inline const char* setns_code(int error) { return error == EPERM ? "ERR_SETNS_PERMISSION" : "ERR_SETNS"; }

class NetnsVisits {
public:
    // On any thread that is at home.
    NetnsVisits() : home_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {}

    bool knows_home() const { return static_cast<bool>(home_); }

    // No descriptor: home. 0, or an errno. Being at home needs no permission.
    int enter(const Fd& netns) {
        if (!netns) return leave();
        if (setns(netns.get(), CLONE_NEWNET) != 0) return errno;
        away_ = true;
        return 0;
    }

    // When it fails the thread stays where it is, and the next visit is another try.
    int leave() {
        if (away_ && setns(home_.get(), CLONE_NEWNET) != 0) return errno;
        away_ = false;
        return 0;
    }

private:
    Fd home_;
    bool away_ = false;
};

}  // namespace netvitals_native
