import { NETWORK } from '../containers/networks.ts'
import { ConnWord, type Records } from '../kernel/decode.ts'

/** Where every socket is on a host without cgroup2. @see CgroupDirectory */
const ROOT_CGROUP = 1

/** What is in no cgroup is its network namespace's: the record says so from here on. */
export function ownByNetwork({ u32, offset }: Records): void {
  const record = offset >>> 2
  const cgroup = record + ConnWord.cgroupId
  if (u32[cgroup + 1] !== 0 || u32[cgroup]! > ROOT_CGROUP) return
  u32[cgroup] = u32[record + ConnWord.netns]!
  u32[cgroup + 1] = NETWORK
}
