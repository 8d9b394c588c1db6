// Made by kernel/generate.ts from bpf/events.h. Do not edit: npm run generate.

/** struct nv_conn: bytes from its beginning. */
export const ConnLayout = {
  size: 112,
  kind: 0,
  netns: 4,
  id: 8,
  cgroupId: 16,
  connectNs: 24,
  bytesSent: 32,
  bytesReceived: 40,
  segmentsSent: 48,
  retransData: 52,
  retransHandshake: 56,
  srttUs: 60,
  minRttUs: 64,
  error: 68,
  state: 72,
  direction: 73,
  family: 74,
  flags: 75,
  localPort: 76,
  remotePort: 78,
  local: 80,
  remote: 96,
} as const

/** struct nv_cgroup: bytes from its beginning. */
export const CgroupLayout = {
  size: 528,
  kind: 0,
  pathLen: 4,
  id: 8,
  path: 16,
} as const

/** struct nv_ends: bytes from its beginning. */
export const EndsLayout = {
  size: 32,
  kind: 0,
  count: 4,
  srttUs: 8,
  withSrtt: 16,
  first: 20,
  last: 24,
  unused: 28,
} as const

/** struct nv_ended: bytes from its beginning. */
export const EndedLayout = {
  size: 120,
  next: 0,
  unused: 4,
  r: 8,
} as const

/** enum nv_kind */
export const Kind = {
  none: 0,
  end: 1,
  fail: 2,
  retrans: 3,
  sample: 4,
  listen: 5,
  synack: 6,
  holder: 7,
  ends: 8,
  cgroupMkdir: 9,
  cgroupRmdir: 10,
  kinds: 11,
} as const

/** enum nv_direction */
export const Direction = {
  outbound: 1,
  inbound: 2,
  listener: 3,
} as const

/** enum nv_flags */
export const Flag = {
  established: 1,
  existing: 2,
  noSyn: 4,
  broken: 8,
} as const

/** enum nv_counter */
export const Counter = {
  lost: 0,
  deferred: 16,
  socketsFull: 17,
  deferredFull: 18,
  synacksFull: 19,
  untrackedRetrans: 20,
  counters: 24,
} as const
