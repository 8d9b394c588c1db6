import type { QueueConfig } from './config.ts'

/** What a batch takes up. */
export interface Sized {
  readonly points: number
  /** In units of the queue's sizer. */
  readonly size: number
}

export interface QueueOptions<T extends Sized> {
  readonly config: QueueConfig
  /** Handles one entry; never rejects. */
  readonly consume: (entry: T) => Promise<void>
}

/** Why an entry was not taken. */
export type Refusal = 'full' | 'too large' | 'closed'

/**
 * A bounded first-in first-out queue with `num_consumers` consumers. What is being consumed still counts, as it is
 * still in memory.
 */
export function createQueue<T extends Sized>({ config, consume }: QueueOptions<T>) {
  const waiting: T[] = []
  /** Entries whose senders wait for room: only with block_on_overflow. */
  const blocked: { entry: T; settle: (refusal?: Refusal) => void }[] = []
  let consuming = 0
  let size = 0
  let points = 0
  let closed = false

  function hasRoom(entry: T): boolean {
    if (size + entry.size > config.queue_size) return false
    return points + entry.points <= config.max_points || points === 0
  }

  /** Undefined once the entry is queued; with block_on_overflow that may take a while. */
  async function offer(entry: T): Promise<Refusal | undefined> {
    if (closed) return 'closed'
    if (entry.size > config.queue_size) return 'too large'
    if (blocked.length === 0 && hasRoom(entry)) return accept(entry)
    if (!config.block_on_overflow) return 'full'
    return new Promise((settle) => blocked.push({ entry, settle }))
  }

  function accept(entry: T): undefined {
    size += entry.size
    points += entry.points
    waiting.push(entry)
    pump()
  }

  function pump(): void {
    while (consuming < config.num_consumers && waiting.length > 0) {
      consuming++
      const entry = waiting.shift()!
      void consume(entry).finally(() => {
        consuming--
        leave(entry)
        pump()
      })
    }
  }

  function leave(entry: T): void {
    size -= entry.size
    points -= entry.points
    while (blocked.length > 0 && hasRoom(blocked[0]!.entry)) {
      const { entry: next, settle } = blocked.shift()!
      accept(next)
      settle()
    }
  }

  /** Takes nothing more; what is in it is still consumed. */
  function close(): void {
    closed = true
    for (const { settle } of blocked.splice(0)) settle('closed')
  }

  /** Takes out what nobody consumes yet. */
  function clear(): T[] {
    const left = waiting.splice(0)
    for (const entry of left) leave(entry)
    return left
  }

  function isHalfEmpty(): boolean {
    return size * 2 <= config.queue_size && points * 2 <= config.max_points
  }

  return { offer, close, clear, isHalfEmpty, size: () => size }
}
