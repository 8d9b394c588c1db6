import type { Attributes } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Lists } from './lists.ts'
import { createResource } from './resource.ts'
import type { ContainerRef, LinkRef } from './types.ts'

/** A container's resource and what stands under it. */
export interface ContainerState {
  readonly ref: ContainerRef
  key: string
  instance: string
  /** None of its series starts earlier: a successor's don't start with those of its predecessor. */
  sinceMs: number
  /** As they were given: what the naming makes a point's attributes from. */
  attributes: Attributes
  resource: ResourceMetrics['resource']
  /** By the index of the link's kind and its key. */
  readonly links: readonly Map<string, LinkRef>[]
  /** Overflow rows, by the index of the kind; -1: none. */
  readonly overflow: Int32Array
  /** Rows of links, overflow and those with a limit of their own not counted. */
  rowCount: number
  /** Lists of rows: first come those that nobody seemed to use, then those in use. */
  readonly idle: number
  readonly inUse: number
  /** And those that the container's limit does not concern. */
  readonly aside: number
  /** List of links in use that have no row. */
  readonly waiting: number
  /** Rows that were evicted while in use: exported once more, with no active connection. */
  readonly leaving: number[]
  ended: boolean
  lingerUntilMs: number
  exported: boolean
  exportedSinceEnd: boolean
  /** Same service.instance.id, not yet exported for the last time: until then this one isn't exported. */
  predecessor: ContainerState | undefined
  successor: ContainerState | undefined
  /** It may yet be called otherwise: not exported before. */
  heldUntilMs: number
  /** Cycles before it was called so: not exported in one that was under way. */
  renamed: number
  /** Its links were taken from it; it is exported once more. */
  detached: boolean
  gone: boolean
}

export interface ContainerTable {
  /** Undefined: gone. */
  get(ref: ContainerRef): ContainerState | undefined
  byKey(key: string): ContainerState | undefined
  /** The latest with this service.instance.id. */
  byInstance(instance: string): ContainerState | undefined
  all(): Iterable<ContainerState>
  readonly size: number
  make(key: string, attributes: Attributes, sinceMs: number): ContainerState
  /** One that is found by nobody: the program's own, and what stands for those that are hidden. */
  makeApart(attributes: Attributes): ContainerState
  /** A container that ended and was never exported goes on as its successor. */
  adopt(state: ContainerState, key: string, attributes: Attributes): void
  /** It was never exported, and is called otherwise from now on. */
  rename(state: ContainerState, attributes: Attributes, cycle: number): void
  /** What it has must be gone already. */
  remove(state: ContainerState): void
}

export interface ContainerTableOptions {
  readonly kinds: number
  readonly rowLists: Lists
  readonly waitingLists: Lists
  /** The attributes that are emitted of those that a container has. */
  readonly emitted: (attributes: Attributes) => Attributes
}

export function instanceOf(attributes: Attributes): string {
  return String(attributes['service.instance.id'])
}

export function createContainerTable({
  kinds,
  rowLists,
  waitingLists,
  emitted,
}: ContainerTableOptions): ContainerTable {
  const byRef = new Map<ContainerRef, ContainerState>()
  const byKey = new Map<string, ContainerState>()
  const byInstance = new Map<string, ContainerState>()
  let nextRef = 1

  function create(key: string, attributes: Attributes, sinceMs: number): ContainerState {
    const state: ContainerState = {
      ref: nextRef++,
      key,
      instance: instanceOf(attributes),
      sinceMs,
      attributes,
      resource: createResource(emitted(attributes)),
      links: Array.from({ length: kinds }, () => new Map<string, LinkRef>()),
      overflow: new Int32Array(kinds).fill(-1),
      rowCount: 0,
      idle: rowLists.newList(),
      inUse: rowLists.newList(),
      aside: rowLists.newList(),
      waiting: waitingLists.newList(),
      leaving: [],
      ended: false,
      lingerUntilMs: Number.POSITIVE_INFINITY,
      exported: false,
      exportedSinceEnd: false,
      predecessor: undefined,
      successor: undefined,
      heldUntilMs: Number.NEGATIVE_INFINITY,
      renamed: -1,
      detached: false,
      gone: false,
    }
    byRef.set(state.ref, state)
    return state
  }

  return {
    get: (ref) => byRef.get(ref),
    byKey: (key) => byKey.get(key),
    byInstance: (instance) => byInstance.get(instance),
    all: () => byRef.values(),
    get size() {
      return byRef.size
    },
    make(key, attributes, sinceMs) {
      const state = create(key, attributes, sinceMs)
      byKey.set(key, state)
      byInstance.set(state.instance, state)
      return state
    },
    makeApart: (attributes) => create('', attributes, Number.NEGATIVE_INFINITY),
    adopt(state, key, attributes) {
      if (byKey.get(state.key) === state) byKey.delete(state.key)
      state.key = key
      state.attributes = attributes
      state.resource = createResource(emitted(attributes))
      state.ended = false
      byKey.set(key, state)
    },
    rename(state, attributes, cycle) {
      state.renamed = cycle
      if (byInstance.get(state.instance) === state) byInstance.delete(state.instance)
      state.instance = instanceOf(attributes)
      state.attributes = attributes
      state.resource = createResource(emitted(attributes))
      byInstance.set(state.instance, state)
    },
    remove(state) {
      state.gone = true
      byRef.delete(state.ref)
      if (byKey.get(state.key) === state) byKey.delete(state.key)
      if (byInstance.get(state.instance) === state) byInstance.delete(state.instance)
      if (state.successor?.predecessor === state) state.successor.predecessor = undefined
      rowLists.freeList(state.idle)
      rowLists.freeList(state.inUse)
      rowLists.freeList(state.aside)
      waitingLists.freeList(state.waiting)
    },
  }
}
