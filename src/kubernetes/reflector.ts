import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { reasonOf } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type Backoff, createBackoff } from './backoff.ts'
import { apiError, type Client, isApiError } from './client.ts'
import { type Json, numberOf, objectOf, textOf } from './json.ts'
import { createLineSplitter, createListSplitter } from './splitters.ts'
import type { ResourceStatus } from './types.ts'

/** What is watched, and what of each object is kept. */
export interface Resource<T extends { readonly uid: string }> {
  /** `pods` */
  readonly name: string
  /** `/api/v1/pods` */
  readonly path: string
  /** Added to every query: `fieldSelector=spec.nodeName%3Dn1`. */
  readonly query?: string
  /** Only `metadata` is needed: the server leaves out the rest. */
  readonly metadataOnly?: boolean
  /** @returns undefined for what is no such object */
  readonly trim: (raw: Json) => T | undefined
  /** `initial`: it is in the first list, so it may have been there for long. */
  readonly upsert: (object: T, initial: boolean) => void
  readonly remove: (uid: string) => void
}

export interface Timing {
  /** Objects a page of a list. */
  readonly pageSize: number
  /** Longest silence within a list. */
  readonly listIdleMs: number
  /** The server ends a watch after a time between this and twice this. */
  readonly watchMs: number
  /** Longest silence of a watch: the server sends a bookmark about every minute. */
  readonly watchIdleMs: number
  /** A watch that has lasted so long works; one that ended sooner, without a word, has failed. */
  readonly stableMs: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
}

export const TIMING: Timing = {
  pageSize: 500,
  listIdleMs: 30_000,
  watchMs: 300_000,
  watchIdleMs: 150_000,
  stableMs: 3_000,
  backoffMs: 800,
  maxBackoffMs: 30_000,
}

/** Longest that a server's Retry-After is heeded: one that says a year is broken. */
const MAX_RETRY_AFTER_MS = 300_000
const GONE = 410
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata'
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json'
const METADATA_EVENT = `${METADATA_ONLY};g=meta.k8s.io;v=v1,application/json`

export interface ReflectorOptions<T extends { readonly uid: string }> {
  readonly resource: Resource<T>
  readonly client: Client
  readonly timing?: Timing
  readonly log?: Pick<Logger, 'info' | 'warn'> | undefined
  /** Called once, when the first list is complete. */
  readonly onSynced?: () => void
}

/**
 * Keeps a copy of one kind of object: lists all, then watches from the list's resourceVersion on, for ever. Whatever
 * fails leaves the copy as it is; only a list that came to its end removes what is not in it.
 *
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export function createReflector<T extends { readonly uid: string }>(options: ReflectorOptions<T>) {
  const { resource, client, timing = TIMING, log, onSynced } = options
  const backoff: Backoff = createBackoff({ initialMs: timing.backoffMs, maxMs: timing.maxBackoffMs })
  const stopping = new AbortController()
  const known = new Set<string>()
  let started = false
  let synced = false
  let lists = 0
  let failures = 0
  let ignored = 0
  let heardAtMs: number | undefined
  let problem: string | undefined

  function query(parameters: Record<string, string | number>): string {
    const own = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    return `${resource.path}?${[...own, ...(resource.query ? [resource.query] : [])].join('&')}`
  }

  /** Hands a body over chunk by chunk; rejects when nothing comes for `idleMs`. */
  async function consume(
    path: string,
    accept: string | undefined,
    idleMs: number,
    push: (chunk: Buffer) => void,
    opened?: () => void,
  ): Promise<void> {
    const ending = new AbortController()
    const signal = AbortSignal.any([stopping.signal, ending.signal])
    const body: IncomingMessage = await client.get(path, signal, accept)
    heardAtMs = Date.now()
    opened?.()
    const idle = setTimeout(() => ending.abort(new Error(`nothing came for ${idleMs} ms`)), idleMs)
    try {
      for await (const chunk of body) {
        idle.refresh()
        heardAtMs = Date.now()
        push(chunk as Buffer)
      }
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error
    } finally {
      clearTimeout(idle)
      body.destroy()
    }
  }

  /** One object that isn't as it should be costs no other. */
  function take(raw: Json): T | undefined {
    const object = resource.trim(raw)
    if (object === undefined) {
      if (ignored === 0)
        log?.warn({ resource: resource.name }, 'Ignoring an object of the Kubernetes API without a uid')
      ignored++
    }
    return object
  }

  /** @returns the resourceVersion to watch from */
  async function list(): Promise<string> {
    const found = new Set<string>()
    let next = ''
    for (;;) {
      const splitter = createListSplitter((text) => {
        const object = take(objectOf(JSON.parse(text)))
        if (object === undefined) return
        found.add(object.uid)
        known.add(object.uid)
        resource.upsert(object, !synced)
      })
      // The first list may come from the server's cache (0), so that a thousand agents that start don't reach etcd.
      // Later ones may not: a cache that lags would take back what is known.
      const from = next !== '' ? { continue: next } : synced ? {} : { resourceVersion: 0 }
      const path = query({ limit: timing.pageSize, ...from })
      await consume(path, resource.metadataOnly ? METADATA_LIST : undefined, timing.listIdleMs, splitter.push)
      const envelope = objectOf(splitter.end())
      const metadata = objectOf(envelope.metadata)
      const version = textOf(metadata.resourceVersion)
      if (!textOf(envelope.kind)?.endsWith('List') || version === undefined) {
        throw new Error(`the answer to a list of ${resource.name} is none`)
      }
      next = textOf(metadata.continue) ?? ''
      if (next === '') {
        finishList(found)
        return version
      }
    }
  }

  function finishList(found: ReadonlySet<string>): void {
    for (const uid of known) {
      if (found.has(uid)) continue
      known.delete(uid)
      resource.remove(uid)
    }
    lists++
    if (synced) return
    synced = true
    onSynced?.()
  }

  /** Returns when the server ends it. `arrived` is told the resourceVersion that it came to. */
  async function watch(from: string, arrived: (version: string) => void): Promise<void> {
    const timeoutMs = timing.watchMs * (1 + Math.random())
    const began = performance.now()
    let events = 0

    const splitter = createLineSplitter((text) => {
      const event = objectOf(JSON.parse(text))
      const raw = objectOf(event.object)
      if (event.type === 'ERROR') throw apiError(numberOf(raw.code) ?? 0, textOf(raw.message) ?? 'unknown error')
      const version = textOf(objectOf(raw.metadata).resourceVersion)
      if (version === undefined) throw new Error(`an event without a resourceVersion`)
      apply(event.type, raw)
      arrived(version)
      events++
    })

    const path = query({
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: Math.ceil(timeoutMs / 1000),
      resourceVersion: from,
    })
    let stable: NodeJS.Timeout | undefined
    try {
      const accept = resource.metadataOnly ? METADATA_EVENT : undefined
      await consume(path, accept, timing.watchIdleMs, splitter.push, () => {
        stable = setTimeout(recovered, timing.stableMs)
      })
      splitter.end()
    } finally {
      clearTimeout(stable)
    }
    if (events === 0 && performance.now() - began < timing.stableMs) {
      throw new Error('the server ended the watch at once')
    }
  }

  function apply(type: unknown, raw: Json): void {
    if (type === 'BOOKMARK') return
    if (type !== 'ADDED' && type !== 'MODIFIED' && type !== 'DELETED') throw new Error('an event of unknown type')
    const object = take(raw)
    if (object === undefined) return
    if (type === 'DELETED') {
      known.delete(object.uid)
      resource.remove(object.uid)
    } else {
      known.add(object.uid)
      resource.upsert(object, false)
    }
  }

  function recovered(): void {
    backoff.reset()
    if (problem !== undefined) log?.info({ resource: resource.name }, 'The Kubernetes API answers again')
    problem = undefined
  }

  /** @returns how long to wait */
  function failed(error: unknown): number {
    failures++
    const reason = explain(resource.name, error)
    // One line for each reason, not for each attempt.
    if (problem === undefined) log?.warn({ resource: resource.name, error: reason }, 'Cannot watch the Kubernetes API')
    problem = reason
    return backoff.next(isApiError(error) ? Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) : 0)
  }

  async function run(): Promise<void> {
    let version: string | undefined
    while (!stopping.signal.aborted) {
      try {
        if (version === undefined) version = await list()
        await watch(version, (arrived) => {
          version = arrived
        })
      } catch (error) {
        if (stopping.signal.aborted) return
        const gone = isApiError(error) && error.status === GONE
        if (gone) version = undefined
        // A version grows too old in the course of things: that is no failure, unless it is so again and again.
        if (gone && !backoff.failing()) backoff.next()
        else await sleep(failed(error), undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
  }

  return {
    start(): void {
      if (started) return
      started = true
      void run()
    },
    stop(): void {
      stopping.abort()
    },
    status(): ResourceStatus {
      return {
        resource: resource.name,
        synced,
        objects: known.size,
        lists,
        failures,
        ...(heardAtMs === undefined ? {} : { heardAtMs }),
        ...(problem === undefined ? {} : { problem }),
      }
    },
  }
}

export type Reflector = ReturnType<typeof createReflector>

function explain(name: string, error: unknown): string {
  const reason = reasonOf(error)
  if (!isApiError(error)) return reason
  if (error.status === 401) return `${reason}; the token or certificate is not valid for this cluster`
  if (error.status === 403) return `${reason}; allow list and watch of ${name} (see deploy/kubernetes/base/rbac.yaml)`
  return reason
}
