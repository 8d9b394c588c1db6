// SPDX-License-Identifier: Apache-2.0
#include "ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace netvitals_native {
namespace {

// Not per record: programs on other CPUs read the position with each of theirs, and the cache line would go to and fro.
constexpr size_t publish_bytes = 4096;

size_t page_size() { return static_cast<size_t>(getpagesize()); }

uint8_t* map(int fd, size_t bytes, int protection, size_t offset) {
    void* address = mmap(nullptr, bytes, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
    return address == MAP_FAILED ? nullptr : static_cast<uint8_t*>(address);
}

}  // namespace

Ring::Ring(int map_fd, size_t bytes) : bytes_(bytes) {
    consumer_ = map(map_fd, page_size(), PROT_READ | PROT_WRITE, 0);
    if (consumer_) producer_ = map(map_fd, page_size() + bytes, PROT_READ, page_size());
    if (!producer_) {
        const int error = errno;
        if (consumer_) munmap(consumer_, page_size());
        throw std::system_error(error, std::generic_category());
    }
    data_ = producer_ + page_size();
    position_ = published_ = end_ = __atomic_load_n(reinterpret_cast<uint64_t*>(consumer_), __ATOMIC_ACQUIRE);
}

Ring::~Ring() {
    munmap(consumer_, page_size());
    munmap(const_cast<uint8_t*>(producer_), page_size() + bytes_);
}

/*
 * A record is eight bytes of header (its length, with the bits busy and discarded), its data, and nothing up to the next
 * multiple of eight: kernel/bpf/ringbuf.c.
 */
bool Ring::peek(Record* record) {
    for (;; take()) {
        if (position_ >= end_) {
            end_ = __atomic_load_n(reinterpret_cast<const uint64_t*>(producer_), __ATOMIC_ACQUIRE);
            if (position_ >= end_) return false;
        }
        const auto* header = reinterpret_cast<const uint32_t*>(data_ + (position_ & (bytes_ - 1)));
        const uint32_t length = __atomic_load_n(header, __ATOMIC_ACQUIRE);
        if (length & BPF_RINGBUF_BUSY_BIT) return false;
        const size_t size = length & ~BPF_RINGBUF_DISCARD_BIT;
        next_ = position_ + ((BPF_RINGBUF_HDR_SZ + size + 7) & ~size_t{7});
        if (length & BPF_RINGBUF_DISCARD_BIT) continue;
        const size_t at = (position_ + BPF_RINGBUF_HDR_SZ) & (bytes_ - 1);
        const size_t in_one_piece = std::min(size, bytes_ - at);
        *record = {data_ + at, in_one_piece, data_, size - in_one_piece};
        return true;
    }
}

bool Ring::is_empty() const {
    return position_ == __atomic_load_n(reinterpret_cast<const uint64_t*>(producer_), __ATOMIC_SEQ_CST);
}

void Ring::take() {
    position_ = next_;
    if (position_ - published_ >= publish_bytes) publish();
}

void Ring::publish() {
    __atomic_store_n(reinterpret_cast<uint64_t*>(consumer_), position_, __ATOMIC_RELEASE);
    published_ = position_;
}

}  // namespace netvitals_native
