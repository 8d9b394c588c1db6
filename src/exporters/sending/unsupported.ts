import type { QueueConfig } from './config.ts'

/** What the Collector has and netvitals has not, where a configuration asks for it. */
interface Asked {
  readonly auth?: { readonly authenticator: string } | undefined
  readonly middlewares: readonly { readonly id: string }[]
  readonly sending_queue: QueueConfig
}

/**
 * The Collector too finds out at the start that an extension is not there; its configuration alone is right.
 * @throws {Error} naming the key, and what to write instead
 */
export function refuseUnsupported({ auth, middlewares, sending_queue: queue }: Asked): void {
  if (auth !== undefined) {
    const problem = `failed to resolve authenticator "${auth.authenticator}": authenticator not found`
    throw new Error(`auth: ${problem}; netvitals has no authenticator extensions: write headers: {authorization: …}`)
  }
  const [middleware] = middlewares
  if (middleware !== undefined) {
    const problem = `failed to resolve middleware "${middleware.id}": middleware not found`
    throw new Error(`middlewares: ${problem}; netvitals has no middleware extensions: leave it out`)
  }
  if (queue.enabled && queue.storage) {
    throw new Error('sending_queue::storage: the queue is in memory, there is none on disk; leave it out')
  }
}
