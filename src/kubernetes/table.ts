/** Many values under many keys, by the object that put them there: an object's keys are replaced as one. */
export function createTable<V>() {
  const byKey = new Map<string, Map<string, V>>()
  const keysOf = new Map<string, readonly string[]>()

  function drop(owner: string): readonly string[] {
    const keys = keysOf.get(owner) ?? []
    keysOf.delete(owner)
    for (const key of keys) {
      const values = byKey.get(key)
      values?.delete(owner)
      if (values?.size === 0) byKey.delete(key)
    }
    return keys
  }

  return {
    /** @returns the keys that the owner had */
    put(owner: string, entries: ReadonlyMap<string, V>): readonly string[] {
      const before = drop(owner)
      keysOf.set(owner, [...entries.keys()])
      for (const [key, value] of entries) {
        const values = byKey.get(key)
        if (values) values.set(owner, value)
        else byKey.set(key, new Map([[owner, value]]))
      }
      return before
    },
    /** @returns the keys that the owner had */
    drop,
    get(key: string): Iterable<V> {
      return byKey.get(key)?.values() ?? []
    },
    has: (key: string) => byKey.has(key),
  }
}
