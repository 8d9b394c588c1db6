import { corrects } from '../destinations/names.ts'
import type { Answered } from '../destinations/translation.ts'
import type { Destinations, Name } from '../destinations/types.ts'

/** What an outbound entry dialled, and who answers it where that is known to be another. */
export interface EntryEnds {
  readonly bytes: Uint8Array
  readonly family: 4 | 6
  readonly port: number
  readonly answered: Answered | undefined
}

export interface EntryNamesOptions {
  readonly destinations: Pick<Destinations, 'name' | 'onChange'>
  /** Undefined for an entry of another direction. */
  readonly endsOf: (entry: number) => EntryEnds | undefined
  readonly each: (visit: (entry: number) => void) => void
  /** It turned out whom the entry's connections reached. */
  readonly onCorrected: (entry: number) => void
  /** From now on another is reached there: the next connection is not this entry's. */
  readonly onReplaced: (entry: number) => void
}

/**
 * Who each outbound entry reaches: whoever held the address when the entry was made. A pod that gets the address later
 * is not taken for it: entries end with a change of their address's holder.
 */
export interface EntryNames {
  enter(entry: number, nowMs: number): void
  of(entry: number): Name
}

export function createEntryNames(options: EntryNamesOptions): EntryNames {
  const { destinations, endsOf, each, onCorrected, onReplaced } = options
  const names: Name[] = []
  const sinceMs: number[] = []

  const nameAt = ({ bytes, family, port, answered }: EntryEnds, atMs: number) =>
    destinations.name(bytes, 0, family, port, answered, atMs)

  destinations.onChange((changed) => {
    // Undefined: of interfaces, by which nobody has another name.
    if (changed === undefined) return
    const nowMs = Date.now()
    each((entry) => {
      const ends = endsOf(entry)
      if (ends === undefined) return
      const { bytes, family, answered } = ends
      if (!changed.has(bytes, 0, family) && !(answered && changed.has(answered.address, 0, family))) return
      const then = nameAt(ends, sinceMs[entry]!)
      if (corrects(then, names[entry]!)) {
        names[entry] = then
        onCorrected(entry)
      }
      if (nameAt(ends, nowMs).key !== names[entry]!.key) onReplaced(entry)
    })
  })

  return {
    enter(entry, nowMs) {
      const ends = endsOf(entry)
      if (ends === undefined) return
      names[entry] = nameAt(ends, nowMs)
      sinceMs[entry] = nowMs
    },
    of: (entry) => names[entry]!,
  }
}
