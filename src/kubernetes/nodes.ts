import { isDeepStrictEqual } from 'node:util'
import type { Node } from './objects.ts'
import { createTable } from './table.ts'
import type { Change } from './types.ts'

/** Nodes by address, and the networks of their pods. */
export function createNodes({ changed }: { readonly changed: (change: Change) => void }) {
  const known = new Map<string, Node>()
  const byAddress = createTable<Node>()
  let cidrs: readonly string[] | undefined

  function announce(addresses: readonly string[]): void {
    cidrs = undefined
    changed({ containerIds: [], addresses: [...new Set(addresses)] })
  }

  return {
    upsert(node: Node): void {
      if (isDeepStrictEqual(known.get(node.uid), node)) return
      known.set(node.uid, node)
      const before = byAddress.put(node.uid, new Map(node.addresses.map((address) => [address, node])))
      announce([...before, ...node.addresses])
    },
    remove(uid: string): void {
      known.delete(uid)
      announce(byAddress.drop(uid))
    },
    at(address: string): Node | undefined {
      const [first, second] = byAddress.get(address)
      return second === undefined ? first : undefined
    },
    podCidrs: (): readonly string[] =>
      (cidrs ??= [...new Set([...known.values()].flatMap(({ podCidrs }) => podCidrs))].sort()),
  }
}

export type Nodes = ReturnType<typeof createNodes>
