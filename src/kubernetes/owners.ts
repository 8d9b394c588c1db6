import type { Owner, OwnerRef } from './objects.ts'
import type { Workload } from './types.ts'

/** Kinds that stand between a pod and its workload, by `group/kind`. */
const BETWEEN = ['apps/ReplicaSet', 'batch/Job']

export interface Resolved {
  readonly owner?: Workload
  /** False: the ReplicaSet or Job is not known yet. */
  readonly complete: boolean
}

export interface OwnersOptions {
  /** Called when something that had been asked for in vain is known now. */
  readonly onResolved: (uid: string) => void
  /** Called when something is asked for that is not known. */
  readonly onMissing?: (reference: OwnerRef, namespace: string) => void
}

/** From a pod's controller to its workload: Deployment through ReplicaSet, CronJob through Job. */
export function createOwners({ onResolved, onMissing }: OwnersOptions) {
  const known = new Map<string, Owner>()
  const missing = new Set<string>()

  return {
    upsert(owner: Owner): void {
      known.set(owner.uid, owner)
      if (missing.delete(owner.uid)) onResolved(owner.uid)
    },
    remove(uid: string): void {
      known.delete(uid)
    },
    resolve(reference: OwnerRef | undefined, namespace: string): Resolved {
      // A static pod's controller is its node, which is no workload.
      if (reference === undefined || (reference.kind === 'Node' && reference.group === '')) return { complete: true }
      const { kind, name, uid, group } = reference
      if (!BETWEEN.includes(`${group}/${kind}`)) return { owner: { kind, name }, complete: true }
      const between = known.get(uid)
      if (between) {
        const top = between.controller ?? between
        return { owner: { kind: top.kind, name: top.name }, complete: true }
      }
      if (!missing.has(uid)) {
        missing.add(uid)
        onMissing?.(reference, namespace)
      }
      return { owner: { kind, name }, complete: false }
    },
    /** The last pod that named it is gone. */
    forget(uid: string): void {
      missing.delete(uid)
    },
  }
}

export type Owners = ReturnType<typeof createOwners>
