import type { Attributes } from '@opentelemetry/api'
import type { SocketMaker } from './socket-makers.ts'

/** `unknown`: a container (or a pod's own cgroup) whose path does not tell which runtime made it. */
export type Runtime = 'docker' | 'podman' | 'containerd' | 'cri-o' | 'lxc' | 'nspawn' | 'unknown' | 'systemd' | 'host'

/** Who owns a socket, as the user knows it. Immutable; unknown parts are absent, never guessed. */
export interface Container {
  /** Unique on this host while it lives: the path of the cgroup that is the container's (or service's) own; 'host' for the rest. */
  readonly key: string
  readonly runtime: Runtime
  /** Container id as the runtime gives it. */
  readonly id?: string
  /** For people: `docker 0123456789ab`, `nginx.service`, `host`. */
  readonly displayName: string
  /** No series of it are wanted. */
  readonly excluded?: boolean
  /** Its name is being asked for: it is worth waiting with its first export until then, ms since the epoch. */
  readonly unsureUntilMs?: number
  /** Whether its series are wanted is decided by that name: it is counted meanwhile, and not probed. */
  readonly undecided?: boolean
  /** The resource's attributes (METRICS: service.name and service.instance.id always there), frozen. */
  readonly attributes: Attributes
}

/** cgroup id -> container. Lookups are synchronous and never wait for anything. */
export interface Containers {
  /** Walks the cgroup2 hierarchy. Records of cgroups are taken before it too: attach first, then start. */
  start(): Promise<void>
  stop(): Promise<void>
  /** The container that owns this cgroup, nested cgroups included; `host` when it belongs to none or isn't known. */
  byCgroup(id: bigint): Container
  /** Whether what makes sockets in this cgroup makes them for others; undefined: not known yet. */
  makerOf(id: bigint): SocketMaker | undefined
  /** Cgroups are not to be seen: a socket in the root cgroup is asked for by its network, as id NETWORK * 2^32 + inode. */
  byNetwork(): boolean
  /** From the kernel's events; the path is from the root of the cgroup2 hierarchy. */
  cgroupCreated(id: bigint, path: string): void
  cgroupRemoved(id: bigint): void
  /** Called once when a container's own cgroup is gone; its ids are still answered for a while, for late events. */
  onEnd(listener: (container: Container) => void): void
  /**
   * Called when an id that `byCgroup` answered with `host`, because nothing was known of it yet, turns out to be a
   * container's. Whoever keeps the answer of `byCgroup` by id corrects it here.
   */
  onResolved(listener: (id: bigint, container: Container) => void): void
  /** Called when a network begins: what was answered for its id before, if anything, was another's that had the number. */
  onReused(listener: (id: bigint) => void): void
  /**
   * Called when a runtime or the Kubernetes API told more of a container than its path, or than before: `now` takes the
   * place of `before` in all answers, for these ids. Of a container that ended too, as long as it is answered.
   */
  onIdentified(listener: (before: Container, now: Container, ids: readonly bigint[]) => void): void
  /** Containers that are there, by who told what they are called; pending: nobody yet, who might. */
  identities(): { readonly bySource: ReadonlyMap<string, number>; readonly pending: number }
  /** After a loss of cgroup records: walks the hierarchy again, so that missed beginnings and ends come right. */
  resync(): Promise<void>
}
