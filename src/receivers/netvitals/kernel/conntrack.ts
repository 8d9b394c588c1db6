import type { NativeConntrack, NativeConntrackOptions } from './native.ts'
import { loadAddon } from './tracer.ts'

/** The kernel's connection tracking: see NativeConntrack. */
export function createConntrack(options: NativeConntrackOptions): NativeConntrack {
  const { Conntrack } = loadAddon()
  return new Conntrack(options)
}
