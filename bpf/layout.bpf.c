// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compiled for its BTF alone and never loaded: a type reaches an object's BTF only where
 * something of it is defined. kernel/generate.ts reads it.
 */
#include <linux/types.h>
#include "events.h"

struct nv_conn conn;
struct nv_cgroup cgroup;
struct nv_ends ends;
struct nv_ended ended;
enum nv_kind kind;
enum nv_direction direction;
enum nv_flags flags;
enum nv_counter counter;
