import type { Attributes } from '@opentelemetry/api'
import type { ContainerState } from './container-table.ts'
import { doubled } from './rows.ts'

/** The links that are in use or have a row; a reference is free for another link once it has neither. */
export interface LinkTable {
  /** The row that the link writes to: its own, or one of overflow. */
  target: Int32Array
  /** Its own row, also when that is leaving; -1: none. */
  own: Int32Array
  /** Users. */
  retained: Int32Array
  /** Established connections: what moves when the target does. */
  active: Int32Array
  kind: Uint8Array
  readonly container: ContainerState[]
  readonly key: string[]
  readonly attributes: Attributes[]
  take(container: ContainerState, kind: number, key: string, attributes: Attributes): number
  /** Out of its container's map, too. */
  free(link: number): void
}

const nothing: Attributes = Object.freeze({})

export function createLinkTable(): LinkTable {
  const free: number[] = []
  let count = 0
  const links: LinkTable = {
    target: new Int32Array(16),
    own: new Int32Array(16),
    retained: new Int32Array(16),
    active: new Int32Array(16),
    kind: new Uint8Array(16),
    container: [],
    key: [],
    attributes: [],
    take(container, kind, key, attributes) {
      const link = free.pop() ?? extend()
      links.own[link] = -1
      links.retained[link] = 0
      links.active[link] = 0
      links.kind[link] = kind
      links.container[link] = container
      links.key[link] = key
      links.attributes[link] = attributes
      container.links[kind]!.set(key, link)
      return link
    },
    free(link) {
      const siblings = links.container[link]!.links[links.kind[link]!]!
      if (siblings.get(links.key[link]!) === link) siblings.delete(links.key[link]!)
      links.key[link] = ''
      links.attributes[link] = nothing
      free.push(link)
    },
  }

  function extend(): number {
    if (count === links.target.length) {
      links.target = doubled(links.target)
      links.own = doubled(links.own)
      links.retained = doubled(links.retained)
      links.active = doubled(links.active)
      links.kind = doubled(links.kind)
    }
    return count++
  }

  return links
}
