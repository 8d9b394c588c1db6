/** What a cluster's API tells about the pod that a container belongs to. Unknown parts are absent. */
export interface PodIdentity {
  readonly podName: string
  readonly namespace: string
  /** The API's; a static pod's directory in the cgroup hierarchy carries another. */
  readonly podUid: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly nodeName?: string
  readonly hostNetwork: boolean
  /** The workload: Deployment and CronJob through their ReplicaSet and Job. Absent for a pod that nobody controls. */
  readonly owner?: Workload
  /** False while the owner's own owner is still being asked for: `owner` may yet change. */
  readonly complete: boolean
}

export interface ContainerIdentity extends PodIdentity {
  readonly containerName: string
  /** As the pod's author wrote it: `registry/app:1.2`. */
  readonly image?: string
}

export interface Workload {
  /** `Deployment`, `StatefulSet`, `DaemonSet`, `CronJob`, `Job`, `ReplicaSet`, or a custom resource's kind. */
  readonly kind: string
  readonly name: string
}

/** Who answers at an address. Unknown parts are absent. */
export interface Peer {
  readonly kind: 'Pod' | 'Service' | 'Node'
  readonly name: string
  /** Absent for a node. */
  readonly namespace?: string
  readonly ownerKind?: string
  readonly ownerName?: string
  /** The one Service that has this address (and port) among its endpoints; absent when there are several. */
  readonly serviceName?: string
}

/** What may be answered otherwise than before. */
export interface Change {
  /** 64 hexadecimal digits, as in `containerd://<id>`. */
  readonly containerIds: readonly string[]
  /** Text as `byAddress` takes it. */
  readonly addresses: readonly string[]
}

export interface ResourceStatus {
  /** `pods`, `services`, ... */
  readonly resource: string
  /** The first list has come. */
  readonly synced: boolean
  /** Listed and not deleted since. */
  readonly objects: number
  /** Lists that came to their end. */
  readonly lists: number
  /** Lists and watches that failed. */
  readonly failures: number
  /** Date.now() of the last word from the API server; undefined before the first. */
  readonly heardAtMs?: number
  /** Why it is not being watched now. */
  readonly problem?: string
}

/**
 * A cluster's pods, Services and nodes, as the API server last told. Every lookup answers at once from memory and never
 * fails; an API server that is away changes only how old the answers are.
 */
export interface Kubernetes {
  /** Begins to list and watch; returns at once. */
  start(): void
  /** Ends every request. Safe before `start` and twice. */
  stop(): void
  /** Resolves when everything has been listed once, or on stop. */
  whenSynced(): Promise<void>
  byContainerId(id: string): ContainerIdentity | undefined
  /** By the uid of the API or of the cgroup's path: of a sandbox, or of what is not yet in the pod's status. */
  byPodUid(uid: string): PodIdentity | undefined
  /**
   * Who held the address at that moment.
   * @param address IPv4 dotted, IPv6 as RFC 5952 has it, or an IPv4-mapped one
   * @param port the listening port; leave it out for a caller's own, which says nothing
   * @param atMs milliseconds since the epoch; now when absent
   */
  byAddress(address: string, port?: number, atMs?: number): Peer | undefined
  /** The address is a pod's own or a Service's ClusterIP now. */
  isClusterAddress(address: string): boolean
  /** Networks that nodes give to their pods, as `10.244.1.0/24`, sorted. */
  podCidrs(): readonly string[]
  /** @returns ends the notifications */
  onChange(listener: (change: Change) => void): () => void
  status(): readonly ResourceStatus[]
}
