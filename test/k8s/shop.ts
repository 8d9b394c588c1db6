import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { NETVITALS_IMAGE } from './images.ts'
import { deployment, onEveryNode, type Pod } from './workload.ts'

export const SHOP = 'shop'
export const CALLERS = ['front-end', 'orders'] as const
export const SERVICES = ['catalog', 'sessions'] as const
export type Caller = (typeof CALLERS)[number]
export type Service = (typeof SERVICES)[number]
export const SERVICE_PORT = 80
export const TARGET_PORT: Readonly<Record<Service, number>> = { catalog: 8080, sessions: 6379 }
/** The container of each of these pods. */
export const CONTAINER = 'program'

/**
 * What deploy/experiments speaks of: a front end that calls a catalog and a session store, both by their Services, and
 * another workload that calls both. Each caller has a pod on every node, each service one pod.
 */
export interface Shop {
  readonly callers: Readonly<Record<Caller, readonly Pod[]>>
  readonly services: Readonly<Record<Service, Pod>>
  /** Addresses of the Services. */
  readonly clusterIps: Readonly<Record<Service, string>>
}

const TRAFFIC = join(import.meta.dirname, '../experiments/traffic.ts')
const MOUNT = '/traffic'

/** @param cluster one whose nodes have the image of netvitals: its Node runs the programs of the pods */
export async function deployShop(cluster: Cluster): Promise<Shop> {
  const metadata = (name: string) => ({ name, namespace: SHOP })
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SHOP } },
    {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('traffic') },
      data: { 'traffic.ts': readFileSync(TRAFFIC, 'utf8') },
    },
    ...SERVICES.map((app) => ({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: metadata(app) },
      spec: { selector: { app }, ports: [{ port: SERVICE_PORT, targetPort: TARGET_PORT[app] }] },
    })),
    ...SERVICES.map((app) =>
      deployment(app, 1, program('serve', String(TARGET_PORT[app])), { kind: 'StatefulSet', namespace: SHOP }),
    ),
  )
  for (const app of SERVICES) await cluster.rolledOut(`statefulset/${app}`, SHOP)
  // After the Services: their addresses are then in the environment.
  const destinations = SERVICES.flatMap((app) => [`$(${app.toUpperCase()}_SERVICE_HOST)`, String(SERVICE_PORT)])
  await cluster.apply(
    ...CALLERS.map((app) =>
      deployment(
        app,
        cluster.nodes.length,
        { ...onEveryNode(app), ...program('call', ...destinations) },
        { namespace: SHOP },
      ),
    ),
  )
  for (const app of CALLERS) await cluster.rolledOut(`deployment/${app}`, SHOP)
  return find(cluster)
}

async function find(cluster: Cluster): Promise<Shop> {
  const podsOf = async (app: string) =>
    (await cluster.get<{ items: Pod[] }>('pods', '-n', SHOP, '-l', `app=${app}`)).items
  const addressOf = async (app: Service) =>
    (await cluster.get<{ spec: { clusterIP: string } }>('service', '-n', SHOP, app)).spec.clusterIP
  return {
    callers: { 'front-end': await podsOf('front-end'), orders: await podsOf('orders') },
    services: { catalog: (await podsOf('catalog'))[0]!, sessions: (await podsOf('sessions'))[0]! },
    clusterIps: { catalog: await addressOf('catalog'), sessions: await addressOf('sessions') },
  }
}

/** Of a pod's spec: the program of test/experiments. */
function program(...args: readonly string[]): object {
  const command = ['/usr/bin/node', '--disable-warning=ExperimentalWarning', `${MOUNT}/traffic.ts`]
  const volumeMounts = [{ name: 'traffic', mountPath: MOUNT }]
  return {
    // It ends with its standard input.
    containers: [{ name: CONTAINER, image: NETVITALS_IMAGE, command, args, stdin: true, volumeMounts }],
    volumes: [{ name: 'traffic', configMap: { name: 'traffic' } }],
  }
}
