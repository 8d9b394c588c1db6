import { createKeyTable } from '../connections/key-table.ts'
import type { Dialled, Links } from '../connections/links.ts'
import { isLinkLocal } from '../destinations/address.ts'
import { createLists } from '../metrics/lists.ts'
import type { ContainerRef } from '../metrics/types.ts'

/**
 * What could be pinged: every address that a container talks to from a network namespace, with the entries of
 * connections/ that reach it, whatever their port. Each container has at most `maxPerContainer` of them chosen, and one
 * of those that are one destination.
 *
 * Numbers in typed arrays, because a container that scans a network has as many of them as it has entries.
 */
export interface Candidates {
  /** Adds an entry; chooses its candidate where its container has room. */
  enter(dialled: Dialled): void
  /** A candidate without entries goes. */
  forget(entry: number): void
  /** Whether it has connections or attempts, or had some since. If not it is forgotten until it has. */
  check(candidate: number, sinceMs: number): boolean
  /** Not chosen until its entries are forgotten: the address turned out to be the namespace's own. */
  reject(candidate: number): void
  /**
   * Of containers with more than they may have, the most used are chosen, those that are already unless another one
   * is used twice as much. The number of live ones that are not chosen.
   */
  choose(sinceMs: number): number
  /** Drops those of a container, and their entries. */
  dropContainer(container: ContainerRef): void
  containerOf(candidate: number): ContainerRef
  readonly size: number
}

export interface CandidatesOptions {
  readonly links: Pick<Links, 'isLive' | 'usage' | 'retell'>
  readonly maxPerContainer: number
  /** What the address is folded into: one of those that are folded alike is chosen, as long as it is in use. */
  readonly foldOf: (address: Uint8Array, offset: number, family: 4 | 6) => string | undefined
  readonly onChosen: (candidate: number, dialled: Omit<Dialled, 'entry'>) => void
  /** It is not to be pinged any more. */
  readonly onDropped: (candidate: number) => void
}

/** A key: container, netns, family, address (4). */
const WORDS = 7
const [CONTAINER, NETNS, FAMILY, ADDRESS] = [0, 1, 2, 3] as const

const [CHOSEN, REJECTED] = [1, 2] as const

/** How many a container has. */
interface Count {
  readonly key: string
  all: number
  chosen: number
  rejected: number
}

export function createCandidates(options: CandidatesOptions): Candidates {
  const { links, maxPerContainer, foldOf, onChosen, onDropped } = options
  const table = createKeyTable(WORDS)
  const { key } = table
  const lists = createLists()
  let entriesOf = new Int32Array(table.capacity)
  let states = new Uint8Array(table.capacity)
  const candidateOf: number[] = []
  const counts = new Map<ContainerRef, Count>()
  /** Of link-local addresses: which interface they are reached by is known by the connection's own address alone. */
  const locals = new Map<number, Uint8Array>()
  /** Of folded ones: what each stands for, and who stands for that. */
  const folds = new Map<number, string>()
  const standsFor = new Map<string, number>()

  function enter({ entry, container, containerKey, netns, family, address, local }: Dialled): void {
    key[CONTAINER] = container
    key[NETNS] = netns
    key[FAMILY] = family
    // A copy, because an address may lie anywhere.
    const words = new Uint32Array(address.slice().buffer)
    for (let i = 0; i < 4; i++) key[ADDRESS + i] = words[i]!
    let candidate = table.find()
    const isNew = candidate < 0
    if (isNew) candidate = make()
    lists.push(entriesOf[candidate]!, entry)
    candidateOf[entry] = candidate
    const count = counts.get(container) ?? { key: containerKey, all: 0, chosen: 0, rejected: 0 }
    counts.set(container, count)
    if (isNew) {
      count.all++
      const fold = foldOf(address, 0, family)
      if (fold !== undefined) folds.set(candidate, `${container} ${netns} ${family} ${fold}`)
    }
    if (local && family === 6 && isLinkLocal(address, 0)) locals.set(candidate, local.slice())
    if (states[candidate] === 0 && count.chosen < maxPerContainer && !isStoodFor(candidate)) pick(candidate, count)
  }

  function make(): number {
    const candidate = table.enter()
    if (table.capacity > states.length) {
      const [oldEntries, oldStates] = [entriesOf, states]
      entriesOf = new Int32Array(table.capacity)
      entriesOf.set(oldEntries)
      states = new Uint8Array(table.capacity)
      states.set(oldStates)
    }
    entriesOf[candidate] = lists.newList()
    states[candidate] = 0
    return candidate
  }

  const containerOf = (candidate: number) => table.word(candidate, CONTAINER)
  const isStoodFor = (candidate: number) => standsFor.has(folds.get(candidate) ?? '')

  function pick(candidate: number, count: Count): void {
    states[candidate]! |= CHOSEN
    count.chosen++
    const fold = folds.get(candidate)
    if (fold !== undefined) standsFor.set(fold, candidate)
    const address = Uint32Array.from({ length: 4 }, (_, i) => table.word(candidate, ADDRESS + i))
    onChosen(candidate, {
      netns: table.word(candidate, NETNS),
      family: table.word(candidate, FAMILY) as 4 | 6,
      address: new Uint8Array(address.buffer),
      container: containerOf(candidate),
      containerKey: count.key,
      local: locals.get(candidate),
    })
  }

  function drop(candidate: number): void {
    if (!(states[candidate]! & CHOSEN)) return
    states[candidate]! &= ~CHOSEN
    standsFor.delete(folds.get(candidate) ?? '')
    counts.get(containerOf(candidate))!.chosen--
    onDropped(candidate)
  }

  function remove(candidate: number): void {
    drop(candidate)
    const container = containerOf(candidate)
    const count = counts.get(container)!
    if (states[candidate]! & REJECTED) count.rejected--
    if (--count.all === 0) counts.delete(container)
    locals.delete(candidate)
    folds.delete(candidate)
    lists.freeList(entriesOf[candidate]!)
    table.drop(candidate)
  }

  function check(candidate: number, sinceMs: number): boolean {
    if (isLive(candidate, sinceMs)) return true
    const list = entriesOf[candidate]!
    for (let entry = lists.first(list); entry >= 0; entry = lists.first(list)) {
      detach(entry)
      links.retell(entry)
    }
    remove(candidate)
    return false
  }

  function detach(entry: number): void {
    candidateOf[entry] = -1
    lists.remove(entry)
  }

  function isLive(candidate: number, sinceMs: number): boolean {
    const list = entriesOf[candidate]!
    for (let entry = lists.first(list); entry >= 0; entry = lists.next(entry)) {
      if (!links.isLive(entry, sinceMs)) continue
      // The next look finds it at once.
      lists.move(list, entry)
      return true
    }
    return false
  }

  function usage(candidate: number): number {
    let sum = 0
    for (let entry = lists.first(entriesOf[candidate]!); entry >= 0; entry = lists.next(entry))
      sum += links.usage(entry)
    return sum
  }

  function choose(sinceMs: number): number {
    const over = new Map<ContainerRef, { chosen: number[]; waiting: number[] }>()
    for (const [container, { all, chosen, rejected }] of counts)
      if (all > chosen + rejected) over.set(container, { chosen: [], waiting: [] })
    if (over.size === 0) return 0
    table.each((candidate) => {
      const lists = over.get(containerOf(candidate))
      if (!lists || states[candidate]! & REJECTED || !check(candidate, sinceMs)) return
      if (states[candidate]! & CHOSEN) lists.chosen.push(candidate)
      else lists.waiting.push(candidate)
    })
    let skipped = 0
    for (const [container, { chosen, waiting }] of over) skipped += settle(counts.get(container)!, chosen, waiting)
    return skipped
  }

  /** The first of those that stand for nobody yet. */
  function oneOfEachFold(waiting: readonly number[]): number[] {
    const seen = new Set<string>()
    return waiting.filter((candidate) => {
      const fold = folds.get(candidate)
      if (fold === undefined) return true
      if (standsFor.has(fold) || seen.has(fold)) return false
      seen.add(fold)
      return true
    })
  }

  function settle(count: Count, chosen: number[], waiting: number[]): number {
    const uses = new Map([...chosen, ...waiting].map((candidate) => [candidate, usage(candidate)]))
    const of = (candidate: number) => uses.get(candidate)!
    chosen.sort((a, b) => of(a) - of(b))
    waiting.sort((a, b) => of(b) - of(a))
    const contenders = oneOfEachFold(waiting)
    let least = 0
    for (const [index, candidate] of contenders.entries()) {
      if (count.chosen >= maxPerContainer) {
        const weakest = chosen[least]
        if (weakest === undefined || of(candidate) <= 2 * of(weakest)) return contenders.length - index + least
        drop(weakest)
        least++
      }
      pick(candidate, count)
    }
    return least
  }

  return {
    enter,
    forget(entry) {
      const candidate = candidateOf[entry] ?? -1
      if (candidate < 0) return
      detach(entry)
      if (lists.first(entriesOf[candidate]!) < 0) remove(candidate)
    },
    check,
    reject(candidate) {
      drop(candidate)
      states[candidate]! |= REJECTED
      counts.get(containerOf(candidate))!.rejected++
    },
    choose,
    dropContainer(container) {
      if (!counts.has(container)) return
      table.each((candidate) => {
        if (containerOf(candidate) !== container) return
        const list = entriesOf[candidate]!
        for (let entry = lists.first(list); entry >= 0; entry = lists.first(list)) detach(entry)
        remove(candidate)
      })
    },
    containerOf,
    get size() {
      return table.size
    },
  }
}
