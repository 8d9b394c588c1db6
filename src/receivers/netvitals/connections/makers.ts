import type { Containers } from '../containers/types.ts'
import { ConnWord, type Records } from '../kernel/decode.ts'
import { createKeyTable } from './key-table.ts'

/** Whether a record's cgroup is one in which sockets are made for others: asked with each, so without an allocation. */
export interface Makers {
  has(records: Records): boolean
  forget(id: bigint): void
}

export function createMakers(containers: Pick<Containers, 'byCgroup' | 'makerOf' | 'onResolved'>): Makers {
  const table = createKeyTable(2)
  const { key, find } = table
  let answers = new Uint8Array(table.capacity)
  /** The last of which the answer was no: most records that come together have few cgroups. */
  let [low, high] = [0, 0]

  /** Undefined: it is not known yet. */
  function ask(): boolean | undefined {
    const id = (BigInt(key[1]!) << 32n) | BigInt(key[0]!)
    // It makes it known, where that is possible.
    containers.byCgroup(id)
    const maker = containers.makerOf(id)
    if (maker === undefined) return undefined
    const entry = table.enter()
    if (table.capacity > answers.length) {
      const longer = new Uint8Array(table.capacity)
      longer.set(answers)
      answers = longer
    }
    answers[entry] = maker === 'none' ? 0 : 1
    return maker !== 'none'
  }

  function forget(id: bigint): void {
    low = high = 0
    key[0] = Number(id & 0xffff_ffffn)
    key[1] = Number(id >> 32n)
    const entry = find()
    if (entry >= 0) table.drop(entry)
  }

  containers.onResolved(forget)

  return {
    has({ u32, offset }) {
      const cgroup = (offset >>> 2) + ConnWord.cgroupId
      if (u32[cgroup] === low && u32[cgroup + 1] === high) return false
      key[0] = u32[cgroup]!
      key[1] = u32[cgroup + 1]!
      const entry = find()
      const answer = entry >= 0 ? answers[entry] === 1 : ask()
      if (answer === false) {
        low = u32[cgroup]!
        high = u32[cgroup + 1]!
      }
      return answer === true
    },
    forget,
  }
}
