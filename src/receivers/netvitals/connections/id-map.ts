/**
 * Connection id -> slot, for ids that are whole numbers from 1 to 2^53 - 1: open addressing in typed arrays, so that
 * an opening and an end cost no allocation. (A Map does the same at three times the cost and 50 bytes an entry.)
 */
export interface IdMap {
  /** -1 when it isn't there. */
  get(id: number): number
  /** The id must not be there yet. */
  add(id: number, slot: number): void
  delete(id: number): void
  readonly size: number
}

export function createIdMap(initialCapacity = 1024): IdMap {
  let capacity = 1 << Math.ceil(Math.log2(Math.max(initialCapacity, 16)))
  let mask = capacity - 1
  let keys = new Float64Array(capacity)
  let values = new Int32Array(capacity)
  let size = 0

  /** Ids count up on each CPU (its number in the high bits): multiplying spreads both over the table. */
  function home(id: number): number {
    const low = id >>> 0
    const high = (id * 2 ** -32) >>> 0
    const mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
    return (mixed ^ (mixed >>> 15)) & mask
  }

  function find(id: number): number {
    let at = home(id)
    while (keys[at] !== 0 && keys[at] !== id) at = (at + 1) & mask
    return at
  }

  function grow() {
    const oldKeys = keys
    const oldValues = values
    capacity *= 2
    mask = capacity - 1
    keys = new Float64Array(capacity)
    values = new Int32Array(capacity)
    for (let i = 0; i < oldKeys.length; i++) {
      if (oldKeys[i] === 0) continue
      const at = find(oldKeys[i]!)
      keys[at] = oldKeys[i]!
      values[at] = oldValues[i]!
    }
  }

  return {
    get(id) {
      const at = find(id)
      return keys[at] === 0 ? -1 : values[at]!
    },
    add(id, slot) {
      if (size * 2 >= capacity) grow()
      const at = find(id)
      keys[at] = id
      values[at] = slot
      size++
    },
    delete(id) {
      let hole = find(id)
      if (keys[hole] === 0) return
      size--
      // Those behind it move up, so that no search ends early at the hole.
      for (let at = (hole + 1) & mask; keys[at] !== 0; at = (at + 1) & mask) {
        const distance = (at - home(keys[at]!)) & mask
        if (distance >= ((at - hole) & mask)) {
          keys[hole] = keys[at]!
          values[hole] = values[at]!
          hole = at
        }
      }
      keys[hole] = 0
    },
    get size() {
      return size
    },
  }
}
