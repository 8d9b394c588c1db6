/** A cluster as large as a test wants: its objects as an API server would write them, with all that nobody reads. */
import type { ObjectJson } from './api-server.ts'

const uid = (kind: number, n: number) => `${kind}0000000-0000-4000-8000-${String(n).padStart(12, '0')}`
const hex = (n: number) => (n + 1).toString(16).padStart(64, '0')
export const podAddress = (n: number): string => `10.${244 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`
export const containerId = hex

const WORKLOAD = 10

export function bigPod(n: number): ObjectJson {
  const app = `app-${Math.floor(n / WORKLOAD)}`
  const at = '2026-01-01T00:00:00Z'
  return {
    metadata: {
      name: `${app}-7bf4bb8464-${n.toString(36).padStart(5, 'x')}`,
      generateName: `${app}-7bf4bb8464-`,
      namespace: `team-${n % 40}`,
      uid: uid(1, n),
      resourceVersion: String(n + 1),
      creationTimestamp: at,
      labels: {
        app,
        'pod-template-hash': '7bf4bb8464',
        'app.kubernetes.io/name': app,
        'app.kubernetes.io/part-of': 'shop',
      },
      annotations: {
        'cni.projectcalico.org/podIP': `${podAddress(n)}/32`,
        'prometheus.io/scrape': 'true',
        'sidecar.istio.io/status': JSON.stringify({ version: '1.2.3', containers: ['proxy'], filler: 'x'.repeat(200) }),
      },
      ownerReferences: [
        {
          ...{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-7bf4bb8464` },
          ...{ uid: uid(2, Math.floor(n / WORKLOAD)), controller: true, blockOwnerDeletion: true },
        },
      ],
      managedFields: ['kube-controller-manager', 'kubelet'].map((manager) => ({
        ...{ manager, operation: 'Update', apiVersion: 'v1', time: at, fieldsType: 'FieldsV1' },
        fieldsV1: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f:field${i}`, { '.': {}, 'f:value': {} }])),
      })),
    },
    spec: {
      nodeName: `node-${n % 200}`,
      volumes: [
        { name: 'kube-api-access', projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607 } }] } },
      ],
      containers: ['app', 'proxy'].map((name) => ({
        ...{ name, image: `registry.example.com/team/${app}-${name}:1.2.3` },
        env: Array.from({ length: 25 }, (_, i) => ({ name: `VARIABLE_${i}`, value: `some value of variable ${i}` })),
        ...{
          resources: { requests: { cpu: '100m', memory: '128Mi' } },
          terminationMessagePath: '/dev/termination-log',
        },
      })),
    },
    status: {
      phase: 'Running',
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        (type) => ({
          ...{ type, status: 'True', lastProbeTime: null, lastTransitionTime: at },
        }),
      ),
      hostIP: '192.0.2.1',
      podIP: podAddress(n),
      podIPs: [{ ip: podAddress(n) }],
      startTime: at,
      containerStatuses: ['app', 'proxy'].map((name, i) => ({
        ...{ name, state: { running: { startedAt: at } }, lastState: {}, ready: true, restartCount: 0, started: true },
        ...{ image: `registry.example.com/team/${app}-${name}:1.2.3`, containerID: `containerd://${hex(2 * n + i)}` },
      })),
      qosClass: 'Burstable',
    },
  }
}

export function bigCluster(pods: number): Record<string, ObjectJson[]> {
  const workloads = Array.from({ length: Math.ceil(pods / WORKLOAD) }, (_, n) => n)
  const podsOf = (n: number) =>
    Array.from({ length: Math.min(WORKLOAD, pods - n * WORKLOAD) }, (_, i) => n * WORKLOAD + i)
  const base = (kind: number, n: number, name: string) => ({ name, namespace: `team-${n % 40}`, uid: uid(kind, n) })
  return {
    '/api/v1/pods': Array.from({ length: pods }, (_, n) => bigPod(n)),
    '/apis/apps/v1/replicasets': workloads.map((n) => ({
      metadata: {
        ...base(2, n, `app-${n}-7bf4bb8464`),
        ownerReferences: [
          { apiVersion: 'apps/v1', kind: 'Deployment', name: `app-${n}`, uid: uid(3, n), controller: true },
        ],
      },
    })),
    '/api/v1/services': workloads.map((n) => ({
      metadata: base(4, n, `app-${n}`),
      spec: { clusterIP: `10.96.${n >> 8}.${n & 255}`, ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }] },
    })),
    '/apis/discovery.k8s.io/v1/endpointslices': workloads.map((n) => ({
      metadata: { ...base(5, n, `app-${n}-abcde`), labels: { 'kubernetes.io/service-name': `app-${n}` } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      endpoints: podsOf(n).map((pod) => ({
        addresses: [podAddress(pod)],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: 'Pod', name: bigPod(pod).metadata.name, namespace: `team-${pod % 40}`, uid: uid(1, pod) },
      })),
    })),
    '/api/v1/nodes': Array.from({ length: 200 }, (_, n) => ({
      metadata: { name: `node-${n}`, uid: uid(6, n) },
      spec: { podCIDR: `10.244.${n}.0/24` },
      status: { addresses: [{ type: 'InternalIP', address: `192.0.2.${n}` }] },
    })),
  }
}
