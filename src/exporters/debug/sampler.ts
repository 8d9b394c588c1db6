/** zap's sampler counts messages by a hash of their text, in as many counters. @see go.uber.org/zap zapcore/sampler.go */
const COUNTERS = 4096
const TICK_MS = 1000
const FNV_OFFSET_BASIS = 2166136261
const FNV_PRIME = 16777619

export interface SamplerOptions {
  /** Messages of the same text in a second that all pass; below 0 all of them. */
  readonly initial: number
  /** Of those after, every how manieth passes; 0 or less: none. */
  readonly thereafter: number
  readonly now?: () => number
}

/** Whether this message may be written. */
export type Sampler = (message: string) => boolean

export function createSampler({ initial, thereafter, now = Date.now }: SamplerOptions): Sampler {
  // Every one of them passes: the text need not even be hashed.
  if (thereafter === 1 || initial < 0) return () => true
  const counts = new Uint32Array(COUNTERS)
  const resetAtMs = new Float64Array(COUNTERS)
  return (message) => {
    const counter = fnv32a(message) % COUNTERS
    const nowMs = now()
    if (nowMs >= resetAtMs[counter]!) {
      counts[counter] = 0
      resetAtMs[counter] = nowMs + TICK_MS
    }
    const seen = ++counts[counter]!
    return seen <= initial || (thereafter > 0 && (seen - initial) % thereafter === 0)
  }
}

function fnv32a(text: string): number {
  let hash = FNV_OFFSET_BASIS
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, FNV_PRIME)
  return hash >>> 0
}
