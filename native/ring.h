// SPDX-License-Identifier: Apache-2.0
// The reading side of a BPF ring buffer. (libbpf's maps the data twice, so that a record which goes over the end lies in
// one piece. Here every record is copied out anyway, and a ring's worth of resident memory is saved.)
#pragma once

#include <cstddef>
#include <cstdint>

namespace netvitals_native {

class Ring {
public:
    // A record where it lies; what goes over the ring's end begins anew at `rest`.
    struct Record {
        const uint8_t* data;
        size_t size;
        const uint8_t* rest;
        size_t rest_size;
    };

    // Throws std::system_error.
    Ring(int map_fd, size_t bytes);
    ~Ring();
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    // The oldest record not taken yet; false: there is none, or it is still being written.
    bool peek(Record* record);
    // Nothing is in it, not even a record that is being written.
    bool is_empty() const;
    // It was copied: `peek` gives the next one. The kernel learns it now and then, and by publish().
    void take();
    void publish();

private:
    const size_t bytes_;
    uint8_t* consumer_ = nullptr;        // a page: how far we are
    const uint8_t* producer_ = nullptr;  // a page: how far the kernel is; then the data
    const uint8_t* data_ = nullptr;
    uint64_t position_ = 0;
    uint64_t next_ = 0;
    uint64_t published_ = 0;
    uint64_t end_ = 0;
};

}  // namespace netvitals_native
