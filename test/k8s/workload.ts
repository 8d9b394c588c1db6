import type { Cluster } from './cluster.ts'
import { BUSYBOX_IMAGE } from './images.ts'

export interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: { readonly nodeName: string }
  readonly status: {
    readonly podIP: string
    readonly containerStatuses: readonly { readonly name: string; readonly containerID: string }[]
  }
}

export interface Workload {
  /** Of the Service `web`: port 80 to the servers' 8080. */
  readonly clusterIp: string
  readonly nodePort: number
  /** One on each node. */
  readonly servers: readonly Pod[]
  readonly client: Pod
}

const LOOP =
  'while :; do printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 2 $WEB_SERVICE_HOST 80 >/dev/null; sleep 0.2; done'

/** A Deployment with a server on each node, behind a Service, and one with a client that calls it five times a second. */
export async function deployWorkload(cluster: Cluster): Promise<Workload> {
  const serve = 'mkdir -p /tmp/w; hostname >/tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w'
  const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' }
  await cluster.apply(
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    deployment('web', cluster.nodes.length, {
      topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: { app: 'web' } } }],
      containers: [
        {
          ...container('server', serve),
          readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
        },
      ],
    }),
  )
  await cluster.rolledOut('deployment/web')
  // After the Service: its address is then in the environment.
  await cluster.apply(deployment('client', 1, { containers: [container('caller', LOOP)] }))
  await cluster.rolledOut('deployment/client')
  const service = await cluster.get<{ spec: { clusterIP: string; ports: { nodePort: number }[] } }>('service', 'web')
  const pods = async (app: string) => (await cluster.get<{ items: Pod[] }>('pods', '-l', `app=${app}`)).items
  const [client] = await pods('client')
  const { clusterIP: clusterIp, ports } = service.spec
  return { clusterIp, nodePort: ports[0]!.nodePort, servers: await pods('web'), client: client! }
}

/** As the last element of its cgroup's path. */
export function containerIdOf({ status }: Pod, name: string): string {
  return status.containerStatuses.find((container) => container.name === name)!.containerID.replace('containerd://', '')
}

const container = (name: string, script: string) => ({ name, image: BUSYBOX_IMAGE, command: ['/bin/sh', '-c', script] })

function deployment(app: string, replicas: number, podSpec: object): object {
  return {
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: app } },
    spec: {
      ...{ replicas, selector: { matchLabels: { app } } },
      template: { metadata: { labels: { app } }, spec: { terminationGracePeriodSeconds: 1, ...podSpec } },
    },
  }
}
