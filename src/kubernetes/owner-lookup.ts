import { setTimeout as sleep } from 'node:timers/promises'
import { createBackoff } from './backoff.ts'
import { type Client, isApiError } from './client.ts'
import { objectOf } from './json.ts'
import { type Owner, type OwnerRef, trimOwner } from './objects.ts'
import { TIMING, type Timing } from './reflector.ts'

const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'
const MAX_BYTES = 2 ** 21
const TIMEOUT_MS = 10_000

export interface OwnerLookupOptions {
  readonly client: Client
  readonly found: (owner: Owner) => void
  readonly timing?: Timing
}

/**
 * Asks for single ReplicaSets and Jobs: those of this node's pods alone, where all of a large cluster's would be
 * thousands. One after the other; what fails is asked for again later.
 */
export function createOwnerLookup({ client, found, timing = TIMING }: OwnerLookupOptions) {
  const queue = new Map<string, { readonly reference: OwnerRef; readonly namespace: string }>()
  const backoff = createBackoff({ initialMs: timing.backoffMs, maxMs: timing.maxBackoffMs })
  const stopping = new AbortController()
  let running = false

  async function ask({ kind, name, uid }: OwnerRef, namespace: string): Promise<Owner> {
    const group = kind === 'Job' ? 'batch' : 'apps'
    const path = `/apis/${group}/v1/namespaces/${namespace}/${kind.toLowerCase()}s/${encodeURIComponent(name)}`
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(TIMEOUT_MS)])
    let text = ''
    const body = await client.get(path, signal, METADATA)
    for await (const chunk of body.setEncoding('utf8')) {
      text += chunk
      if (text.length > MAX_BYTES) throw new Error('the answer is too large')
    }
    const owner = trimOwner(objectOf(JSON.parse(text)), kind)
    // Another of the same name has taken its place.
    return owner?.uid === uid ? owner : { uid, kind, name }
  }

  async function work(): Promise<void> {
    running = true
    while (!stopping.signal.aborted) {
      const next = queue.values().next().value
      if (next === undefined) break
      const { reference, namespace } = next
      try {
        found(await ask(reference, namespace))
        backoff.reset()
        queue.delete(reference.uid)
      } catch (error) {
        queue.delete(reference.uid)
        if (isApiError(error) && error.status === 404) {
          found({ uid: reference.uid, kind: reference.kind, name: reference.name })
          continue
        }
        queue.set(reference.uid, next)
        const waitMs = backoff.next(isApiError(error) ? error.retryAfterMs : 0)
        await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      }
    }
    running = false
  }

  return {
    want(reference: OwnerRef, namespace: string): void {
      queue.set(reference.uid, { reference, namespace })
      if (!running) void work()
    },
    stop: () => stopping.abort(),
  }
}

export type OwnerLookup = ReturnType<typeof createOwnerLookup>
