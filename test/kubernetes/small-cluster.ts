import type { ObjectJson } from './api-server.ts'

const NAMESPACE = 'shop'

export interface PodOptions {
  readonly name: string
  readonly address?: string
  /** Its Deployment; nobody's when absent. */
  readonly deployment?: string
  readonly nodeName?: string
  /** Of its one container, `main`; no status of it yet when absent. */
  readonly containerId?: string
  /** When its container began, ms since the epoch. */
  readonly startedMs?: number
  readonly uid?: string
  readonly labels?: Readonly<Record<string, string>>
}

/** Objects as the API has them, with no more than is read of them. */
export function pod(options: PodOptions): ObjectJson {
  const { name, address, deployment, nodeName = 'n1', containerId, labels = {} } = options
  const startedAt = new Date(options.startedMs ?? Date.now() - 60_000).toISOString()
  const controller = { apiVersion: 'apps/v1', kind: 'ReplicaSet', controller: true }
  const own = { name: `${deployment}-1`, uid: `replicaset-${deployment}` }
  const status = { name: 'main', containerID: `containerd://${containerId}`, state: { running: { startedAt } } }
  return {
    metadata: {
      ...{ name, namespace: NAMESPACE, uid: options.uid ?? `pod-${name}`, labels },
      ...(deployment && { ownerReferences: [{ ...controller, ...own }] }),
    },
    spec: { nodeName, containers: [{ name: 'main', image: 'example/main:1' }] },
    status: {
      ...(address !== undefined && { podIP: address, podIPs: [{ ip: address }] }),
      ...(containerId !== undefined && { containerStatuses: [status] }),
    },
  }
}

export function replicaSet(deployment: string): ObjectJson {
  const controller = { apiVersion: 'apps/v1', kind: 'Deployment', controller: true }
  return {
    metadata: {
      ...{ name: `${deployment}-1`, namespace: NAMESPACE, uid: `replicaset-${deployment}` },
      ownerReferences: [{ ...controller, name: deployment, uid: `deployment-${deployment}` }],
    },
  }
}

export function service(name: string, clusterIP: string, port: number): ObjectJson {
  return {
    metadata: { name, namespace: NAMESPACE, uid: `service-${name}` },
    spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ port }] },
  }
}

/** What stands behind a Service. */
export function endpointSlice(of: string, port: number, pods: readonly ObjectJson[]): ObjectJson {
  return {
    metadata: {
      ...{ name: `${of}-1`, namespace: NAMESPACE, uid: `slice-${of}` },
      labels: { 'kubernetes.io/service-name': of },
    },
    endpoints: pods.map(({ metadata: { name, uid }, status }) => ({
      addresses: [(status as { readonly podIP: string }).podIP],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', name, namespace: NAMESPACE, uid },
    })),
    ports: [{ port }],
  }
}

export function node(name: string, address: string, podCIDR?: string): ObjectJson {
  return {
    metadata: { name, uid: `node-${name}` },
    spec: { ...(podCIDR !== undefined && { podCIDR, podCIDRs: [podCIDR] }) },
    status: { addresses: [{ type: 'InternalIP', address }] },
  }
}
