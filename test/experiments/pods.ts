import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { End } from '../faults/types.ts'
import { type Container, cgroup2Mount, createLab, type Lab, type Namespace } from '../kernel/lab.ts'
import type { NetworkChaos, PodSelector } from './network-chaos.ts'

/** A pod as a selector sees it: a network namespace on a bridge, and a container's cgroup in it. */
export interface Pod {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly container: Container
  readonly end: End & { readonly namespace: Namespace }
  /** Its service's port; undefined where it only calls. */
  readonly port: number | undefined
}

/** What a selector selects by. */
export type Selectable = Pick<Pod, 'namespace' | 'name' | 'labels'>

/** The same, and where it listens. */
export type PodDescription = Selectable & Pick<Pod, 'port'>

export interface Pods {
  readonly all: readonly Pod[]
  readonly lab: Lab
  close(): Promise<void>
}

const ROOT = 'netvitals-experiment-'

/**
 * Three or more. Everything goes when it is closed, or the process ends.
 * @throws Error while another process has some: their names and addresses would be the same in the table
 */
export function createPods(descriptions: readonly PodDescription[]): Pods {
  sweep()
  const lab = createLab({ namespaces: descriptions.length })
  const root = join(cgroup2Mount()!, `${ROOT}${process.pid}`)
  const bridge = bridgeOf(lab)
  const onExit = () => remove(root)
  process.on('exit', onExit)
  const all = descriptions.map((description, i): Pod => {
    const namespace = lab.namespaces[i]!
    const end = { name: description.name, namespace, farHalf: { namespace: bridge, device: `port${i}` } }
    return { ...description, container: containerIn(root, description.name), end }
  })
  return {
    all,
    lab,
    async close() {
      await lab.close()
      remove(root)
      process.off('exit', onExit)
    },
  }
}

/** Which of the pods these are. Throws when it is none. */
export function select<P extends Selectable>(
  pods: readonly P[],
  { namespaces, labels, pods: names, mode }: PodSelector,
): P[] {
  const found = pods.filter(
    (pod) =>
      namespaces.includes(pod.namespace) &&
      Object.entries(labels).every(([key, value]) => pod.labels[key] === value) &&
      (names === undefined || names[pod.namespace]?.includes(pod.name)),
  )
  if (found.length > 0) return mode === 'one' ? found.slice(0, 1) : found
  const there = pods.map((pod) => `${pod.namespace}/${pod.name} ${JSON.stringify(pod.labels)}`).join(', ')
  const wanted = JSON.stringify({ namespaces, labelSelectors: labels, ...(names && { pods: names }) })
  throw new Error(`no pod is selected by ${wanted}; there are: ${there}`)
}

/** The two sides of a fault, and the paths whose packets it concerns. */
export function resolve<P extends Selectable & { readonly end: End }>(chaos: NetworkChaos, pods: readonly P[]) {
  const selected = select(pods, chaos.selector)
  const targets = chaos.target ? select(pods, chaos.target) : pods.filter((pod) => !selected.includes(pod))
  const pairs = selected.flatMap((one) =>
    targets.filter((other) => other !== one).map((other) => [one, other] as const),
  )
  const paths = pairs.flatMap(([{ end: one }, { end: other }]) => [
    ...(chaos.direction === 'from' ? [] : [{ from: one, to: other }]),
    ...(chaos.direction === 'to' ? [] : [{ from: other, to: one }]),
  ])
  return { selected, targets, paths }
}

/** As LXC lays it out, whose containers are known by the names that people gave. */
function containerIn(root: string, name: string): Container {
  const directory = join(root, `lxc.payload.${name}`)
  mkdirSync(directory, { recursive: true })
  const cgroup = directory.slice(cgroup2Mount()!.length)
  return { id: name, cgroup, directory, cgroupId: statSync(directory, { bigint: true }).ino }
}

/** The namespace that holds the bridge, which is named after the others. */
function bridgeOf({ namespaces, host }: Lab): Namespace {
  const path = namespaces[0]!.path.replace(/-\d+$/, '-br')
  if (!existsSync(path)) throw new Error(`expected the bridge's namespace at ${path}: fewer than three pods?`)
  return { ...host, ...enterable(host, path) }
}

/** The same commands, in another namespace. */
function enterable(host: Namespace, path: string): Pick<Namespace, 'name' | 'path' | 'run'> {
  return { name: 'bridge', path, run: (argv, input) => host.run(['nsenter', `--net=${path}`, '--', ...argv], input) }
}

/** Removes what a process that was killed left behind. */
function sweep(): void {
  const mount = cgroup2Mount()!
  for (const name of readdirSync(mount)) {
    if (!name.startsWith(ROOT)) continue
    const pid = name.slice(ROOT.length)
    if (existsSync(`/proc/${pid}`)) throw new Error(`another experiment runs here (process ${pid}): wait until it ends`)
    remove(join(mount, name))
  }
}

/** A cgroup can go a moment after its last process did. */
function remove(root: string): void {
  for (let tries = 0; tries < 100 && existsSync(root); tries++) {
    try {
      for (const name of readdirSync(root, { withFileTypes: true }))
        if (name.isDirectory()) rmdirSync(join(root, name.name))
      rmdirSync(root)
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}
