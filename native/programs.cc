// SPDX-License-Identifier: Apache-2.0
#include "programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "bpf/events.h"
#include "fd.h"
#include "netvitals.skel.h"

namespace netvitals_native {
namespace {

// What libbpf says while it loads: the end of it goes into the error. One load at a time a thread.
thread_local std::string libbpf_log;

int collect_log(enum libbpf_print_level level, const char* format, va_list args) {
    if (level == LIBBPF_DEBUG) return 0;
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    libbpf_log += line;
    if (libbpf_log.size() > 65536) libbpf_log.erase(0, libbpf_log.size() - 32768);
    return 0;
}

// Kernel versions that brought each hook.
const std::map<std::string, const char*> since = {
    {"inet_sock_set_state", "4.16"}, {"tcp_destroy_sock", "4.16"}, {"tcp_retransmit_skb", "4.15"},
    {"tcp_retransmit_synack", "4.16"}, {"cgroup_mkdir", "4.13"},   {"cgroup_rmdir", "4.13"},
    {"iter/tcp", "5.9"},             {"iter/bpf_map_elem", "5.9"},  {"iter/task_file", "5.8"},
};

std::string hook_of(const char* section) {
    const char* slash = strchr(section, '/');
    return strncmp(section, "tp_btf/", 7) == 0 && slash ? slash + 1 : section;
}

std::string needs(const std::string& section) {
    auto found = since.find(hook_of(section.c_str()));
    return "\"" + section + "\" needs kernel " + (found == since.end() ? "5.10" : found->second) + " or newer with BTF";
}

bool kernel_has(const struct btf* kernel, const std::string& section) {
    if (section.rfind("tp_btf/", 0) == 0)
        return btf__find_by_name_kind(kernel, ("btf_trace_" + section.substr(7)).c_str(), BTF_KIND_TYPEDEF) > 0;
    if (section.rfind("iter/", 0) == 0)
        return btf__find_by_name_kind(kernel, ("bpf_iter_" + section.substr(5)).c_str(), BTF_KIND_FUNC) > 0;
    return true;
}

void clear(const struct bpf_map* map) {
    int fd = bpf_map__fd(map);
    uint64_t key;
    while (!bpf_map_get_next_key(fd, nullptr, &key))
        if (bpf_map_delete_elem(fd, &key)) break;
}

[[noreturn]] void fail(const char* code, const std::string& what, int error) {
    throw CodedError(code, what + ": " + strerror(error));
}

// libbpf tries several places and tells of the last: the usual one says why.
[[noreturn]] void fail_btf(int error) {
    const char* path = "/sys/kernel/btf/vmlinux";
    Fd file(open(path, O_RDONLY | O_CLOEXEC));
    if (!file) error = errno;
    const char* code = error == ENOENT ? "ERR_NO_BTF" : error == EPERM || error == EACCES ? "ERR_BPF_PERMISSION" : "ERR_BPF_LOAD";
    fail(code, std::string("no BTF of the running kernel at ") + path, error);
}

// The program whose load libbpf reports as failed, or nothing.
std::string failed_program() {
    auto at = libbpf_log.rfind("': failed to load");
    if (at == std::string::npos) return "";
    auto from = libbpf_log.rfind('\'', at - 1);
    return libbpf_log.substr(from + 1, at - from - 1);
}

std::string last_lines(size_t count) {
    std::string text = libbpf_log;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    size_t at = text.size();
    while (count-- && at != std::string::npos && at > 0) at = text.rfind('\n', at - 1);
    return at == std::string::npos ? text : text.substr(at == 0 ? 0 : at + 1);
}

}  // namespace

Programs::Programs(const ProgramSizes& sizes) {
    libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
    libbpf_set_print(collect_log);
    std::vector<std::string> disabled;
    // A program that this kernel's verifier refuses is left out by name; the first one is what the rest is for.
    for (;;) {
        libbpf_log.clear();
        open(sizes, disabled);
        int error = netvitals__load(object_);
        if (!error) break;
        std::string program = failed_program();
        std::string log = last_lines(4);
        netvitals__destroy(object_);
        object_ = nullptr;
        if (-error == EPERM || -error == EACCES) {
            if (program.empty() || geteuid() != 0 || log.find("Operation not permitted") != std::string::npos)
                throw CodedError("ERR_BPF_PERMISSION", "the kernel refused to load eBPF programs: " + std::string(strerror(-error)));
        }
        if (program.empty() || program == "inet_sock_set_state" || disabled.size() > 16)
            throw CodedError("ERR_BPF_LOAD", "eBPF object failed to load (" + std::string(strerror(-error)) + "): " + log);
        disabled.push_back(program);
        status_.push_back({program, false, "refused by this kernel's verifier: " + log});
    }
    try {
        attach();
    } catch (...) {
        for (auto* link : links_) bpf_link__destroy(link);
        netvitals__destroy(object_);
        throw;
    }
}

void Programs::open(const ProgramSizes& sizes, const std::vector<std::string>& disabled) {
    struct btf* kernel = btf__load_vmlinux_btf();
    if (libbpf_get_error(kernel)) fail_btf(errno);
    object_ = netvitals__open();
    if (!object_) {
        int error = errno;
        btf__free(kernel);
        fail("ERR_BPF_LOAD", "eBPF object failed to open", error);
    }
    bool first = status_.empty();
    struct bpf_program* program;
    bpf_object__for_each_program(program, object_->obj) {
        std::string section = bpf_program__section_name(program);
        std::string name = bpf_program__name(program);
        if (!kernel_has(kernel, section)) {
            bpf_program__set_autoload(program, false);
            if (first) status_.push_back({section, false, needs(section)});
        }
        if (std::find(disabled.begin(), disabled.end(), name) != disabled.end()) bpf_program__set_autoload(program, false);
    }
    btf__free(kernel);
    bpf_map__set_max_entries(object_->maps.ring, sizes.ring_bytes);
    bpf_map__set_max_entries(object_->maps.conns, sizes.max_sockets);
    bpf_map__set_max_entries(object_->maps.deferred, std::min(sizes.max_sockets, 65536u));
    object_->rodata->wake_bytes = sizes.ring_bytes / 8;
}

void Programs::attach() {
    struct bpf_program* program;
    auto refuse = [&](const std::string& section, int error) {
        status_.push_back({section, false, needs(section) + " (attach: " + strerror(error) + ")"});
    };
    auto walk = [&](struct bpf_program* iter, struct bpf_map* map) -> bpf_link* {
        if (!bpf_program__autoload(iter)) return nullptr;
        std::string section = bpf_program__section_name(iter);
        union bpf_iter_link_info info = {};
        LIBBPF_OPTS(bpf_iter_attach_opts, options);
        if (map) {
            info.map.map_fd = bpf_map__fd(map);
            options.link_info = &info;
            options.link_info_len = sizeof info;
        }
        bpf_link* link = bpf_program__attach_iter(iter, &options);
        if (!link) {
            refuse(section, errno);
            return nullptr;
        }
        links_.push_back(link);
        status_.push_back({section + ":" + bpf_program__name(iter), true, ""});
        return link;
    };
    bpf_object__for_each_program(program, object_->obj) {
        std::string section = bpf_program__section_name(program);
        if (!bpf_program__autoload(program) || section.rfind("iter/", 0) == 0) continue;
        bpf_link* link = bpf_program__attach(program);
        if (!link) {
            int error = errno;
            if (program == object_->progs.inet_sock_set_state) fail("ERR_BPF_ATTACH", "tp_btf/inet_sock_set_state cannot be attached", error);
            refuse(section, error);
            continue;
        }
        links_.push_back(link);
        status_.push_back({section, true, ""});
    }
    snapshot_ = walk(object_->progs.snapshot_tcp, nullptr);
    holders_ = walk(object_->progs.holders, nullptr);
    walks_[static_cast<int>(Walk::deferred)] = walk(object_->progs.sample_deferred, object_->maps.deferred);
    walks_[static_cast<int>(Walk::conns)] = walk(object_->progs.sample_conns, object_->maps.conns);
    walks_[static_cast<int>(Walk::synacks)] = walk(object_->progs.sample_synacks, object_->maps.synacks);
}

Programs::~Programs() {
    for (auto* link : links_) bpf_link__destroy(link);
    if (object_) netvitals__destroy(object_);
}

int Programs::ring_fd() const { return bpf_map__fd(object_->maps.ring); }

size_t Programs::ring_bytes() const { return bpf_map__max_entries(object_->maps.ring); }

void Programs::set_reader(nv_reader state) const { __atomic_store_n(&object_->bss->reader, state, __ATOMIC_SEQ_CST); }

int Programs::open_walk(Walk walk) const {
    const bpf_link* link = walks_[static_cast<int>(walk)];
    if (!link) return -1;
    int fd = bpf_iter_create(bpf_link__fd(link));
    if (fd < 0) fail("ERR_SAMPLE", "opening the walk of live sockets", errno);
    return fd;
}

int Programs::open_snapshot() const {
    if (!snapshot_) throw CodedError("ERR_NO_ITERATOR", "reading existing connections: " + needs("iter/tcp"));
    int fd = bpf_iter_create(bpf_link__fd(snapshot_));
    if (fd < 0) fail("ERR_SNAPSHOT", "opening the walk of a namespace's sockets", errno);
    return fd;
}

void Programs::clear_listeners() const { clear(object_->maps.listeners); }

int Programs::open_holders(const std::vector<uint64_t>& sockets) const {
    if (!holders_) throw CodedError("ERR_NO_ITERATOR", "looking for sockets' holders: " + needs("iter/task_file"));
    const uint8_t one = 1;
    for (uint64_t socket : sockets)
        if (bpf_map_update_elem(bpf_map__fd(object_->maps.wanted), &socket, &one, BPF_ANY))
            fail("ERR_HOLDERS", "entering a socket whose holders are asked for", errno);
    int fd = bpf_iter_create(bpf_link__fd(holders_));
    if (fd < 0) fail("ERR_HOLDERS", "opening the walk of descriptors", errno);
    return fd;
}

void Programs::clear_wanted() const { clear(object_->maps.wanted); }

void Programs::counters(double* out) const {
    int cpus = libbpf_num_possible_cpus();
    std::vector<uint64_t> values(cpus > 0 ? cpus : 1);
    int fd = bpf_map__fd(object_->maps.counters);
    for (uint32_t i = 0; i < NV_COUNTERS; i++) {
        out[i] = 0;
        if (bpf_map_lookup_elem(fd, &i, values.data())) continue;
        for (uint64_t value : values) out[i] += static_cast<double>(value);
    }
}

double Programs::map_bytes() const {
    double total = 0;
    struct bpf_map* map;
    bpf_object__for_each_map(map, object_->obj) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", bpf_map__fd(map));
        FILE* file = fopen(path, "re");
        if (!file) continue;
        char line[128];
        unsigned long long bytes;
        while (fgets(line, sizeof line, file))
            if (sscanf(line, "memlock: %llu", &bytes) == 1) total += static_cast<double>(bytes);
        fclose(file);
    }
    return total;
}

}  // namespace netvitals_native
