import type { Containers } from '../containers/types.ts'
import type { Destinations } from '../destinations/types.ts'
import { Direction } from '../kernel/layout.gen.ts'
import type { LinkKind, LinkRef, Store } from '../metrics/types.ts'
import type { Entries } from './entries.ts'
import type { EntryNames } from './entry-names.ts'
import type { Owners } from './owners.ts'
import { createPortFolds, type PortFoldsOptions } from './port-folds.ts'

const linkKinds: Record<number, LinkKind> = {
  [Direction.outbound]: 'outbound',
  [Direction.inbound]: 'inbound',
  [Direction.listener]: 'listen',
}

/** The store's link that an entry writes to: several entries may have one, and it changes with what becomes known. */
export interface EntryLinks {
  enter(entry: number, nowMs: number): void
  /** Retained once by the store, for the entry itself. */
  open(entry: number, nowMs: number): LinkRef
  leave(entry: number, nowMs: number): void
}

export interface EntryLinksOptions {
  readonly entries: Entries
  readonly names: EntryNames
  readonly owners: Pick<Owners, 'refOf'>
  readonly store: Pick<Store, 'link'>
  readonly containers: Pick<Containers, 'byCgroup'>
  readonly destinations: Destinations
  /** Undefined: every port is told by number. */
  readonly ports: PortFoldsOptions | undefined
}

export function createEntryLinks(options: EntryLinksOptions): EntryLinks {
  const { entries, names, owners, store, containers, destinations, ports } = options
  const folds = ports && createPortFolds(ports)
  const isOutbound = (entry: number) => entries.directionOf(entry) === Direction.outbound

  /** Others with another key may be told as the same. */
  function isFolded(entry: number): boolean {
    const family = entries.familyOf(entry)
    const answered = entries.endsOf(entry)?.answered?.address
    const told = [entries.addressOf(entry), answered, entries.clientOf(entry)]
    return folds?.has(entry) || told.some((address) => address && destinations.foldOf(address, 0, family) !== undefined)
  }

  /** By numbers as they are now: they are used again. */
  function describe(entry: number) {
    const family = entries.familyOf(entry)
    const address = entries.addressOf(entry)
    const number = entries.otherEndOf(entry)
    const port = folds?.has(entry) ? undefined : entries.portOf(entry)
    if (isOutbound(entry))
      return destinations.outbound(address, 0, family, port, entries.answers.at(number), names.of(entry))
    const client = entries.clientOf(entry)
    const told = client && destinations.addressOf(client, 0, family)
    return destinations.inbound(address, 0, family, port, entries.callers.at(number), told)
  }

  return {
    enter(entry, nowMs) {
      // Somebody declared that it is listened at.
      const isKnown = isOutbound(entry) && names.of(entry).attributes['k8s.dst.service.name'] !== undefined
      folds?.enter(entry, { group: entries.groupOf(entry), port: entries.portOf(entry), isKnown }, nowMs)
    },
    open(entry, nowMs) {
      const cgroup = entries.cgroupOf(entry)
      const ref = owners.refOf(cgroup, nowMs)
      const kind = linkKinds[entries.directionOf(entry)]!
      // What a container does of which no series are wanted is one link of each kind.
      if (containers.byCgroup(cgroup).excluded) return store.link(ref, kind, '', () => ({}), nowMs)
      if (isFolded(entry)) {
        const attributes = describe(entry)
        return store.link(ref, kind, `folded ${JSON.stringify(attributes)}`, () => attributes, nowMs)
      }
      const other = entries.othersOf(entry).nameOf(entries.otherEndOf(entry))
      const reached = isOutbound(entry) ? names.of(entry).key : ''
      return store.link(ref, kind, entries.nameOf(entry) + other + reached, () => describe(entry), nowMs)
    },
    leave: (entry, nowMs) => folds?.leave(entry, nowMs),
  }
}
