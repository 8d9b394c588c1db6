import { execFileSync } from 'node:child_process'
import type { End } from '../faults/types.ts'
import type { Cluster } from './cluster.ts'
import { processOf } from './processes.ts'
import { containerIdOf, type Pod } from './workload.ts'

/** What of `ip -json link` is needed. @see iproute2 */
interface Device {
  readonly ifname: string
  readonly ifindex: number
  /** Of a veth: the other half, in a namespace that is not told. */
  readonly link_index?: number
}

/** In the way that the injector enters the lab's namespaces. */
function entered(pid: number | string): Pick<End['namespace'], 'path' | 'run'> {
  const path = `/proc/${pid}/ns/net`
  const run: End['namespace']['run'] = (argv, input) =>
    execFileSync('nsenter', [`--net=${path}`, '--', ...argv], {
      ...{ encoding: 'utf8', timeout: 20_000 },
      ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input, stdio: 'pipe' }),
    })
  return { path, run }
}

const devices = ({ run }: Pick<End['namespace'], 'run'>): Device[] => JSON.parse(run(['ip', '-json', 'link']))

/**
 * A pod as the end of a path: its network namespace, and its veth's half in the node's.
 *
 * @param dialled addresses of Services that have no other pod
 */
export function endOf(cluster: Cluster, pod: Pod, dialled: readonly string[] = []): End {
  const [container] = pod.status.containerStatuses
  const inside = entered(processOf(containerIdOf(pod, container!.name)))
  const node = entered(cluster.nodes.find(({ name }) => name === pod.spec.nodeName)!.sandbox.pid)
  const half = devices(inside).find(({ ifname }) => ifname === 'eth0')?.link_index
  const device = devices(node).find(({ ifindex }) => ifindex === half)?.ifname
  if (device === undefined) throw new Error(`no other half of the eth0 of ${pod.metadata.name}: ${half}`)
  const namespace = { ...inside, ipv4: pod.status.podIP }
  return { name: pod.metadata.name, namespace, dialled, farHalf: { namespace: node, device } }
}
