import { unnamed } from '../destinations/names.ts'
import type { Destinations, Name, Scope } from '../destinations/types.ts'
import type { Records } from '../kernel/decode.ts'
import { createKeyTable } from './key-table.ts'
import { createNumbers, type Numbers } from './numbers.ts'

/** Who calls, as numbers: all addresses of one workload are one. */
export interface Callers extends Omit<Numbers<Name>, 'numberOf'> {
  /** Of the peer's address, 16 bytes at `offset`, a multiple of 4; tens of ns where it was asked for before. */
  numberOf(records: Pick<Records, 'bytes' | 'u32'>, offset: number, family: 4 | 6): number
}

const scopes: readonly Scope[] = ['node', 'cluster', 'private', 'external']
/** Addresses remembered; a scan of the whole internet must not fill the memory. */
const REMEMBERED_MAX = 65_536
const FAMILY = 4
const WORDS = 5

export function createCallers(
  destinations: Pick<Destinations, 'scope' | 'hasNames' | 'caller' | 'onChange'>,
  rememberedMax = REMEMBERED_MAX,
): Callers {
  const { scope, hasNames, caller } = destinations
  const { numberOf, ...numbers } = createNumbers<Name>()
  const table = createKeyTable(WORDS)
  const { key, find } = table
  let numberAt = new Int32Array(table.capacity)
  // Without names these are all; they are never free.
  for (const each of scopes) numbers.retain(numberOf(unnamed[each].key, unnamed[each]))

  function remember(number: number): void {
    if (table.size >= rememberedMax) table.each(forget)
    const entry = table.enter()
    if (table.capacity > numberAt.length) {
      const longer = new Int32Array(table.capacity)
      longer.set(numberAt)
      numberAt = longer
    }
    numberAt[entry] = number
    numbers.retain(number)
  }

  function forget(entry: number): void {
    numbers.release(numberAt[entry]!)
    table.drop(entry)
  }

  destinations.onChange((changed) => {
    const address = new Uint32Array(4)
    const bytes = new Uint8Array(address.buffer)
    table.each((entry) => {
      for (let i = 0; i < 4; i++) address[i] = table.word(entry, i)
      if (changed === undefined || changed.has(bytes, 0, table.word(entry, FAMILY) as 4 | 6)) forget(entry)
    })
  })

  return {
    ...numbers,
    numberOf({ bytes, u32 }, offset, family) {
      if (!hasNames()) return scopes.indexOf(scope(bytes, offset, family)) + 1
      const word = offset >>> 2
      key[0] = u32[word]!
      key[1] = u32[word + 1]!
      key[2] = u32[word + 2]!
      key[3] = u32[word + 3]!
      key[FAMILY] = family
      const known = find()
      if (known >= 0) return numberAt[known]!
      const name = caller(bytes, offset, family)
      const number = numberOf(name.key, name)
      remember(number)
      return number
    },
  }
}
