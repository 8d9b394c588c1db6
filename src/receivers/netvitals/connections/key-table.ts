/**
 * A hash of fixed-width keys in typed arrays: the caller fills `key`, `find` gives the entry's number or -1, `enter` makes
 * one. Entry numbers are small, stay while the entry stands and are used again later.
 */
export interface KeyTable {
  /** The key that find and enter use. */
  readonly key: Uint32Array
  find(): number
  /** The key must not be there yet. */
  enter(): number
  drop(entry: number): void
  /** `find` does not give it any more, and another of the same key may be entered. */
  hide(entry: number): void
  /** Word `index` of an entry's key. */
  word(entry: number, index: number): number
  /** Every entry once; `visit` may drop the one it is given. */
  each(visit: (entry: number) => void): void
  readonly size: number
  /** Entries are below this: the least length of arrays beside the table. */
  readonly capacity: number
}

/** Of an entry: it is free, it is found, it stands and is not found. */
const [FREE, FOUND, HIDDEN] = [0, 1, 2] as const

export function createKeyTable(wordsPerKey: number, initialCapacity = 1024): KeyTable {
  const key = new Uint32Array(wordsPerKey)
  let capacity = initialCapacity
  let buckets = new Int32Array(capacity).fill(-1)
  let words = new Uint32Array(capacity * wordsPerKey)
  let next = new Int32Array(capacity)
  let live = new Uint8Array(capacity)
  let used = 0
  let free = -1
  let size = 0

  function bucketOf(from: Uint32Array, at: number): number {
    let hash = 0
    for (let i = 0; i < wordsPerKey; i++) hash = Math.imul(hash ^ from[at + i]!, 0x9e3779b1) ^ (hash >>> 13)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    return (hash ^ (hash >>> 13)) & (capacity - 1)
  }

  function link(entry: number) {
    const bucket = bucketOf(words, entry * wordsPerKey)
    next[entry] = buckets[bucket]!
    buckets[bucket] = entry
  }

  function grow() {
    const [oldWords, oldLive] = [words, live]
    capacity *= 2
    buckets = new Int32Array(capacity).fill(-1)
    words = new Uint32Array(capacity * wordsPerKey)
    words.set(oldWords)
    live = new Uint8Array(capacity)
    live.set(oldLive)
    next = new Int32Array(capacity)
    // Only called when every entry is in use: there is no free list to keep.
    for (let entry = 0; entry < used; entry++) if (live[entry] === FOUND) link(entry)
  }

  function unlink(entry: number) {
    const bucket = bucketOf(words, entry * wordsPerKey)
    if (buckets[bucket] === entry) buckets[bucket] = next[entry]!
    else {
      let before = buckets[bucket]!
      while (next[before] !== entry) before = next[before]!
      next[before] = next[entry]!
    }
  }

  return {
    key,
    find() {
      for (let entry = buckets[bucketOf(key, 0)]!; entry >= 0; entry = next[entry]!) {
        const at = entry * wordsPerKey
        let i = 0
        while (i < wordsPerKey && words[at + i] === key[i]) i++
        if (i === wordsPerKey) return entry
      }
      return -1
    },
    enter() {
      let entry = free
      if (entry >= 0) free = next[entry]!
      else {
        if (used === capacity) grow()
        entry = used++
      }
      words.set(key, entry * wordsPerKey)
      live[entry] = FOUND
      link(entry)
      size++
      return entry
    },
    drop(entry) {
      if (live[entry] === FOUND) unlink(entry)
      live[entry] = FREE
      next[entry] = free
      free = entry
      size--
    },
    hide(entry) {
      if (live[entry] !== FOUND) return
      unlink(entry)
      live[entry] = HIDDEN
    },
    word: (entry, index) => words[entry * wordsPerKey + index]!,
    each(visit) {
      for (let entry = 0; entry < used; entry++) if (live[entry] !== FREE) visit(entry)
    },
    get size() {
      return size
    },
    get capacity() {
      return capacity
    },
  }
}
