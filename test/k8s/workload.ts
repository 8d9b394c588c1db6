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
  /** One on each node, of both. */
  readonly servers: readonly Pod[]
  readonly clients: readonly Pod[]
}

const LOOP =
  'while :; do printf "GET / HTTP/1.0\\r\\n\\r\\n" | nc -w 2 $WEB_SERVICE_HOST 80 >/dev/null; sleep 0.2; done'

/** A Deployment with a server on each node, behind a Service, and one with clients that call it five times a second. */
export async function deployWorkload(cluster: Cluster): Promise<Workload> {
  const serve = 'mkdir -p /tmp/w; hostname >/tmp/w/index.html; exec httpd -f -p 8080 -h /tmp/w'
  await cluster.apply(
    {
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    deployment('web', cluster.nodes.length, {
      ...onEveryNode('web'),
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
  await cluster.apply(
    deployment('client', cluster.nodes.length, { ...onEveryNode('client'), containers: [container('caller', LOOP)] }),
  )
  await cluster.rolledOut('deployment/client')
  const service = await cluster.get<{ spec: { clusterIP: string; ports: { nodePort: number }[] } }>('service', 'web')
  const pods = async (app: string) => (await cluster.get<{ items: Pod[] }>('pods', '-l', `app=${app}`)).items
  const { clusterIP: clusterIp, ports } = service.spec
  return { clusterIp, nodePort: ports[0]!.nodePort, servers: await pods('web'), clients: await pods('client') }
}

/** As the last element of its cgroup's path. */
export function containerIdOf({ status }: Pod, name: string): string {
  return status.containerStatuses.find((container) => container.name === name)!.containerID.replace('containerd://', '')
}

const container = (name: string, script: string) => ({ name, image: BUSYBOX_IMAGE, command: ['/bin/sh', '-c', script] })

/** Of a pod's spec: as many pods of this app on a node as on any other. */
export function onEveryNode(app: string): object {
  const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' }
  return { topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: { app } } }] }
}

interface DeploymentOptions {
  readonly namespace?: string
  readonly kind?: 'Deployment' | 'StatefulSet'
}

/** Pods with the label `app`, of a Deployment or StatefulSet of that name. */
export function deployment(
  app: string,
  replicas: number,
  podSpec: object,
  { namespace = 'default', kind = 'Deployment' }: DeploymentOptions = {},
): object {
  return {
    ...{ apiVersion: 'apps/v1', kind, metadata: { name: app, namespace } },
    spec: {
      ...{ replicas, selector: { matchLabels: { app } }, ...(kind === 'StatefulSet' && { serviceName: app }) },
      template: { metadata: { labels: { app } }, spec: { terminationGracePeriodSeconds: 1, ...podSpec } },
    },
  }
}
