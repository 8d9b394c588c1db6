import { createDeltas, type Deltas } from '../../deltas/deltas.ts'

interface Kept {
  readonly deltas: Deltas
  users: number
}

const kept = new Map<string, Kept>()

/**
 * The deltas of an exporter, by its id: on a reload that changes its settings the new one is made before the old one
 * has stopped, and goes on where that ends, with what it still owed. `release` them when nothing more is sent.
 */
export function acquireDeltas(exporter: string): { readonly deltas: Deltas; readonly release: () => void } {
  const found = kept.get(exporter) ?? { deltas: createDeltas(), users: 0 }
  kept.set(exporter, found)
  found.users++
  return {
    deltas: found.deltas,
    release: () => {
      if (--found.users === 0) kept.delete(exporter)
    },
  }
}
