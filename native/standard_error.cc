// SPDX-License-Identifier: Apache-2.0
// Distributions build libbpf.a for executables: on x86-64 it reads the C library's variable stderr at a fixed distance,
// which a shared object does not have. The addon is linked with --wrap=stderr: what libbpf.a reads is this copy.
#include <cstdio>

extern "C" {
extern FILE* __real_stderr;
FILE* __wrap_stderr = __real_stderr;
}
