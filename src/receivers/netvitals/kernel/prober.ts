import type { NativeProber, NativeProberOptions } from './native.ts'
import { loadAddon } from './tracer.ts'

/** The thread that pings: see NativeProber. */
export function createProber(options: NativeProberOptions): NativeProber {
  const { Prober } = loadAddon()
  return new Prober(options)
}
