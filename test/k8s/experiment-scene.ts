import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually } from '../e2e/child.ts'
import type { Point } from '../e2e/otlp-json.ts'
import { ROOT } from '../e2e/program.ts'
import { parseNetworkChaos } from '../experiments/network-chaos.ts'
import { resolve } from '../experiments/pods.ts'
import { readTables } from '../experiments/tables.ts'
import { inject } from '../faults/inject.ts'
import type { Fault } from '../faults/types.ts'
import { type Cluster, createCluster } from './cluster.ts'
import { type Cycle, followCycles, increase } from './cycles.ts'
import { type DeployedNetvitals, deployNetvitals } from './netvitals.ts'
import { endOf } from './pod-ends.ts'
import { CALLERS, deployShop, SERVICES, SHOP } from './shop.ts'
import { type Shown, shownByLink, shownByRow, type Talk, talk } from './talks.ts'
import type { Pod } from './workload.ts'

export const INTERVAL_MS = 1_000
export const TIMEOUT_MS = 500
/** For whatever is only waited for. */
export const PATIENCE_MS = 90_000
const CYCLE_MS = 2_000

const RECEIVER = {
  ...{ collection_interval: `${CYCLE_MS}ms`, probes: { interval: `${INTERVAL_MS}ms`, timeout: `${TIMEOUT_MS}ms` } },
  // The nodes here have one kernel: each would see the other's containers too.
  containers: { include: [{ namespaces: [SHOP], cgroups: [`/netvitals-kube-*/\${env:NODE_NAME}/**`] }] },
}
/** A console beside the DaemonSet's own exporter: all rows, in UTF-8, wide enough for all names. */
const WITH_CONSOLE = {
  receivers: { netvitals: RECEIVER },
  exporters: { console: { rows: 10_000 } },
  service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['otlp_grpc', 'console'] } } },
}
const CONSOLE_ENV = { LC_ALL: 'C.UTF-8', COLUMNS: '160' }
/** Whose names a console does not know. */
export const WITH_COROOT = { receivers: { netvitals: { ...RECEIVER, naming: 'coroot' } } }

/** A caller's pod and the pod that it calls. */
export interface Pair {
  readonly talk: Talk
  readonly from: Pod
  readonly to: Pod
}

/** What a document of deploy/experiments does to these pods. */
export interface Experiment {
  /** The pairs that it concerns, and the rest. */
  readonly affected: readonly Pair[]
  readonly others: readonly Pair[]
  begin(): Promise<Fault>
}

/** The shop on a cluster of two nodes, with netvitals as its DaemonSet, and all that its Collectors and consoles say. */
export interface Scene extends AsyncDisposable {
  readonly cluster: Cluster
  readonly netvitals: DeployedNetvitals
  readonly pairs: readonly Pair[]
  /** @param name of a document */
  experiment(name: string): Experiment
  /** Points of container.net.latency since then, Unix milliseconds. */
  latencies(pair: Pair, sinceMs: number): readonly Point[]
  /** By how much these sums have grown since then, on all nodes. */
  growth(name: string, sinceMs: number, choose: (point: Point) => boolean): number
  /** The links of a node's newest cycle. */
  links(nodeName: string): readonly Shown[]
  /** The links of all nodes in all cycles since then. */
  linksSince(sinceMs: number): readonly Shown[]
  /** The tables since then, by node. */
  consoles(sinceMs: number): Promise<ReadonlyMap<string, readonly (readonly Shown[])[]>>
  /** Waits; rejects with all that the links say. */
  until(what: string, check: () => boolean | Promise<boolean>): Promise<void>
  /** Waits until all links of all pairs are ok and every pair has a latency. */
  untilWell(): Promise<void>
}

/** @param collector a Collector's program */
export async function createScene(collector: string): Promise<Scene> {
  const cluster = await createCluster()
  try {
    return await furnish(cluster, collector)
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

async function furnish(cluster: Cluster, collector: string): Promise<Scene> {
  const netvitals = await deployNetvitals(cluster, { collector, config: WITH_CONSOLE, env: CONSOLE_ENV })
  const shop = await deployShop(cluster)
  const pairs = CALLERS.flatMap((caller) =>
    SERVICES.flatMap((service) =>
      shop.callers[caller].map((from): Pair => ({ talk: talk(caller, service), from, to: shop.services[service] })),
    ),
  )
  const followers = new Map(cluster.nodes.map(({ name }) => [name, followCycles(netvitals.receivedFile(name))]))
  const cycles = (nodeName: string, sinceMs = 0) => followers.get(nodeName)!().filter(({ timeMs }) => timeMs >= sinceMs)
  const newestLinks = (nodeName: string): Cycle['links'] => followers.get(nodeName)!().at(-1)?.links ?? []
  const links = (nodeName: string) => newestLinks(nodeName).map(shownByLink)

  function experiment(name: string): Experiment {
    const chaos = parseNetworkChaos(readFileSync(join(ROOT, 'deploy/experiments', `${name}.yaml`), 'utf8'), name)
    const selectable = (pod: Pod, app: string, dialled: readonly string[]) => {
      const { namespace, name } = pod.metadata
      return { namespace, name, labels: { app }, pod, end: endOf(cluster, pod, dialled) }
    }
    const { selected, targets, paths } = resolve(chaos, [
      ...CALLERS.flatMap((app) => shop.callers[app].map((pod) => selectable(pod, app, []))),
      ...SERVICES.map((app) => selectable(shop.services[app], app, [shop.clusterIps[app]])),
    ])
    const isAffected = ({ from, to }: Pair) =>
      selected.some(({ pod }) => pod === from) && targets.some(({ pod }) => pod === to)
    return {
      affected: pairs.filter(isAffected),
      others: pairs.filter((pair) => !isAffected(pair)),
      begin: () => inject(chaos.effect, paths),
    }
  }

  function latencies({ from, to }: Pair, sinceMs: number): Point[] {
    return cycles(from.spec.nodeName, sinceMs)
      .flatMap(({ points }) => points)
      .filter(({ name }) => name === 'container.net.latency')
      .filter(({ resource }) => resource['k8s.pod.name'] === from.metadata.name)
      .filter(({ attributes }) => attributes['k8s.dst.name'] === to.metadata.name)
  }

  async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    try {
      await eventually(what, async () => (await check()) || undefined, PATIENCE_MS)
    } catch (error) {
      const seen = cluster.nodes.flatMap(({ name }) =>
        newestLinks(name).map((link) => {
          const { talk, direction, status } = shownByLink(link)
          return `${name} ${talk} ${direction}: ${status} ${link.reason}`
        }),
      )
      throw new Error(`${(error as Error).message}\n${seen.join('\n')}`, { cause: error })
    }
  }

  function isWell(pair: Pair): boolean {
    const { talk, from, to } = pair
    const isOk = (nodeName: string, direction: string) =>
      links(nodeName).some((each) => each.talk === talk && each.direction === direction && each.status === 'ok')
    const newest = latencies(pair, Date.now() - 3 * CYCLE_MS).at(-1)
    return isOk(from.spec.nodeName, 'outbound') && isOk(to.spec.nodeName, 'inbound') && (newest?.value ?? 0) > 0
  }

  return {
    ...{ cluster, netvitals, pairs, experiment, latencies, links, until },
    growth: (name, sinceMs, choose) =>
      cluster.nodes.reduce(
        (sum, node) => sum + increase(cycles(node.name), (point) => point.name === name && choose(point), sinceMs),
        0,
      ),
    linksSince: (sinceMs) =>
      cluster.nodes.flatMap(({ name }) => cycles(name, sinceMs).flatMap((cycle) => cycle.links.map(shownByLink))),
    async consoles(sinceMs) {
      const since = `--since-time=${new Date(sinceMs).toISOString()}`
      const shown = netvitals.pods.map(async (pod): Promise<[string, Shown[][]]> => {
        const tables = readTables(await netvitals.log(pod, 'netvitals', since))
        return [pod.spec.nodeName, tables.map(({ rows }) => rows.map(shownByRow))]
      })
      return new Map(await Promise.all(shown))
    },
    untilWell: () => until('all pairs are ok and have a latency', () => pairs.every(isWell)),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}
