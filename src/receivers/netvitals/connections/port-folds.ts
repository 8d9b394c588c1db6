export interface PortFoldsOptions {
  /** From here on ports are ephemeral, unless it is known who listens. */
  readonly from: number
  /** So many ephemeral ports of an address are told by number; what comes beyond them is told together. */
  readonly keep: number
  /** How long a port without connections keeps its number from others, milliseconds. */
  readonly idleMs: number
}

export interface Ported {
  /** Of the container's cgroup, the direction and the address: ports are counted for each of these. */
  readonly group: string
  readonly port: number
  /** It is known that this port is listened at: it is told by number, and takes nobody's place. */
  readonly isKnown: boolean
}

/**
 * Which entries are told without their port: those of protocols that have a port given out for each transfer (FTP's
 * data, RPC), of which there would be a series each. No port is hidden as long as they are few.
 */
export interface PortFolds {
  /** Its port is told together with others. */
  enter(entry: number, ported: Ported, nowMs: number): boolean
  has(entry: number): boolean
  leave(entry: number, nowMs: number): void
}

/** Who answers here tells its callers of ports: FTP, ONC RPC's and Microsoft's port mapper. @see IANA service names */
const PORT_MAPPERS: ReadonlySet<number> = new Set([21, 111, 135])
/** What a port mapper tells of may lie anywhere above the system ports. @see RFC 6335 6 */
const FIRST_USER_PORT = 1_024

interface Slot {
  entries: number
  lastMs: number
}

interface Group {
  readonly key: string
  entries: number
  portMappers: number
  readonly slots: Map<number, Slot>
}

interface Place {
  readonly group: Group
  readonly port: number
  readonly slot: Slot | undefined
}

export function createPortFolds({ from, keep, idleMs }: PortFoldsOptions): PortFolds {
  const groups = new Map<string, Group>()
  const places = new Map<number, Place>()
  const folded = new Set<number>()

  function groupOf(key: string): Group {
    const known = groups.get(key)
    if (known !== undefined) return known
    const group = { key, entries: 0, portMappers: 0, slots: new Map() }
    groups.set(key, group)
    return group
  }

  function firstOf(group: Group | undefined): number {
    return group !== undefined && group.portMappers > 0 ? Math.min(from, FIRST_USER_PORT) : from
  }

  /** One that is free, or that nobody has used for long. */
  function slotFor({ slots }: Group, port: number, nowMs: number): Slot | undefined {
    const own = slots.get(port)
    if (own !== undefined) return own
    if (slots.size >= keep) {
      const left = [...slots].find(([, { entries, lastMs }]) => entries === 0 && nowMs - lastMs > idleMs)
      if (left === undefined) return undefined
      slots.delete(left[0])
    }
    const slot = { entries: 0, lastMs: nowMs }
    slots.set(port, slot)
    return slot
  }

  return {
    enter(entry, { group: key, port, isKnown }, nowMs) {
      const isPortMapper = PORT_MAPPERS.has(port)
      if (!isPortMapper && (isKnown || port < firstOf(groups.get(key)))) return false
      const group = groupOf(key)
      group.entries++
      // What a port mapper gave out is for one transfer: nobody looks for it by number.
      const isGivenOut = group.portMappers > 0 && port >= from
      const slot = isPortMapper || isGivenOut ? undefined : slotFor(group, port, nowMs)
      if (isPortMapper) group.portMappers++
      else if (slot === undefined) folded.add(entry)
      else slot.entries++
      places.set(entry, { group, port, slot })
      return folded.has(entry)
    },
    has: (entry) => folded.has(entry),
    leave(entry, nowMs) {
      const place = places.get(entry)
      if (place === undefined) return
      const { group, port, slot } = place
      places.delete(entry)
      folded.delete(entry)
      if (PORT_MAPPERS.has(port)) group.portMappers--
      if (slot !== undefined) {
        slot.entries--
        slot.lastMs = nowMs
      }
      if (--group.entries === 0) groups.delete(group.key)
    },
  }
}
