// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>

#include "fd.h"
#include "values.h"

namespace netvitals_native {
namespace {

// Of /proc/self/pagemap, Documentation/admin-guide/mm/pagemap.rst.
constexpr uint64_t present = 1ull << 63, swapped = 1ull << 62, of_file = 1ull << 61;

// One pass over what the process maps of its executable and shared libraries.
class Release {
public:
    Release() : pagemap_(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)), error_(pagemap_ ? 0 : errno) {}

    // The loader's lock is held meanwhile: nothing of what it lists can be unloaded, and its addresses become another's.
    void all() {
        if (pagemap_) dl_iterate_phdr(object, this);
    }
    uint64_t bytes() const { return pages_ * page_bytes_; }
    // The first errno, or 0.
    int error() const { return error_; }

private:
    static int object(dl_phdr_info* info, size_t, void* self) {
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
            const ElfW(Phdr)& part = info->dlpi_phdr[i];
            const uintptr_t begin = info->dlpi_addr + part.p_vaddr;
            // The vDSO is the kernel's, no file's.
            if (part.p_type != PT_LOAD || part.p_flags & PF_W || begin == getauxval(AT_SYSINFO_EHDR)) continue;
            static_cast<Release*>(self)->segment(begin, begin + part.p_memsz);
        }
        return 0;
    }

    void segment(uintptr_t begin, uintptr_t end) {
        const uintptr_t last = (end + page_bytes_ - 1) / page_bytes_;
        for (uintptr_t page = begin / page_bytes_; page < last;)
            page += some(page, std::min(last - page, entries_.size()));
    }

    // Returns how many were seen to: few at a time, so that little lies between the look at a page and its release. A
    // debugger, or whoever sets a uprobe, may be about to write into it.
    size_t some(uintptr_t page, size_t count) {
        const ssize_t got = pread(pagemap_.get(), entries_.data(), count * sizeof(uint64_t), page * sizeof(uint64_t));
        if (got < static_cast<ssize_t>(sizeof(uint64_t))) {
            fail(got < 0 ? errno : ENODATA);
            return count;
        }
        count = got / sizeof(uint64_t);
        for (size_t from = 0; from < count;) {
            size_t to = from, resident = 0;
            for (; to < count && is_clean(entries_[to]); to++) resident += (entries_[to] & present) != 0;
            if (resident > 0) let_go(page + from, to - from, resident);
            from = to + 1;
        }
        return count;
    }

    // A page that was written into is the process' own: only it has what was written.
    static bool is_clean(uint64_t entry) { return entry & present ? entry & of_file : !(entry & swapped); }

    void let_go(uintptr_t page, size_t count, size_t resident) {
        if (madvise(reinterpret_cast<void*>(page * page_bytes_), count * page_bytes_, MADV_DONTNEED) == 0)
            pages_ += resident;
        else
            fail(errno);
    }

    void fail(int error) {
        if (error_ == 0) error_ = error;
    }

    const size_t page_bytes_ = sysconf(_SC_PAGESIZE);
    std::array<uint64_t, 512> entries_;
    Fd pagemap_;
    int error_;
    uint64_t pages_ = 0;
};

class Worker : public Napi::AsyncWorker {
public:
    explicit Worker(Napi::Env env) : AsyncWorker(env, "netvitals pages"), deferred_(env) {}
    Napi::Promise promise() const { return deferred_.Promise(); }

    void Execute() override {
        Release release;
        release.all();
        bytes_ = release.bytes();
        error_ = release.error();
    }
    void OnOK() override {
        if (error_ == 0) return deferred_.Resolve(Napi::Number::New(Env(), static_cast<double>(bytes_)));
        deferred_.Reject(coded(Env(), "ERR_PAGES", std::string("releasing pages: ") + strerror(error_)).Value());
    }

private:
    Napi::Promise::Deferred deferred_;
    uint64_t bytes_ = 0;
    int error_ = 0;
};

}  // namespace

Napi::Value release_pages(const Napi::CallbackInfo& info) {
    auto* worker = new Worker(info.Env());
    worker->Queue();
    return worker->promise();
}

}  // namespace netvitals_native
