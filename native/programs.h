// SPDX-License-Identifier: Apache-2.0
// The eBPF object: opened with its sizes, loaded with what this kernel has, attached program by program.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "coded_error.h"

struct netvitals;
struct bpf_link;

namespace netvitals_native {

struct ProgramStatus {
    std::string name;
    bool attached;
    std::string reason;
};

struct ProgramSizes {
    uint32_t ring_bytes;
    uint32_t max_sockets;
};

// The walks of a sample, each over one map.
enum class Walk { deferred, conns, synacks };

class Programs {
public:
    // Throws CodedError; what is optional and not there is told by status().
    explicit Programs(const ProgramSizes& sizes);
    ~Programs();
    Programs(const Programs&) = delete;
    Programs& operator=(const Programs&) = delete;

    const std::vector<ProgramStatus>& status() const { return status_; }
    int ring_fd() const;
    size_t ring_bytes() const;
    // What the next record does to the reader.
    void set_reader(nv_reader state) const;
    // A descriptor for read() until 0, the caller's to close; -1 for a walk that is not attached. Throws CodedError.
    int open_walk(Walk walk) const;
    int open_snapshot() const;
    void clear_listeners() const;
    // The walk of the descriptors that refer to these sockets (nv_conn.id), NV_WANTED_MAX at most.
    int open_holders(const std::vector<uint64_t>& sockets) const;
    void clear_wanted() const;
    // Sums over CPUs, NV_COUNTERS of them.
    void counters(double* out) const;
    double map_bytes() const;

private:
    void open(const ProgramSizes& sizes, const std::vector<std::string>& disabled);
    void attach();
    netvitals* object_ = nullptr;
    std::vector<ProgramStatus> status_;
    std::vector<bpf_link*> links_;
    bpf_link* snapshot_ = nullptr;
    bpf_link* holders_ = nullptr;
    bpf_link* walks_[3] = {};
};

}  // namespace netvitals_native
