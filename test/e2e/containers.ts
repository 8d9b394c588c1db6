import { join } from 'node:path'
import { createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'
import { type Counters, readCounters } from '../kernel/oracle.ts'
import { type Child, startChild } from './child.ts'

const WORKLOAD = join(import.meta.dirname, 'workload.ts')

export interface TestContainer {
  /** As its runtime would have drawn it. */
  readonly id: string
  readonly address: string
  /** Runs workload.ts in it. */
  start(...args: string[]): Child
  /** The kernel's own, of its network namespace. */
  counters(): Counters
}

export interface TestContainers extends AsyncDisposable {
  readonly client: TestContainer
  readonly server: TestContainer
}

/** Why there can be none here, if so. */
export const noContainers = labUnavailable

/** Two network namespaces side by side, each with a cgroup that looks like a Docker container's. */
export function createContainers(): TestContainers {
  const lab = createLab({ namespaces: 2 })
  const started: Child[] = []
  const [client, server] = lab.namespaces.map((namespace) => containerIn(lab, namespace, started))
  return {
    client: client!,
    server: server!,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(started.map((child) => child.stop(1_000)))
      await lab.close()
    },
  }
}

function containerIn(lab: Lab, namespace: Namespace, started: Child[]): TestContainer {
  const { id, directory } = lab.container('docker')
  const enter = ['nsenter', `--net=${namespace.path}`]
  return {
    id,
    address: namespace.ipv4,
    start: (...args) => {
      const node = [process.execPath, '--disable-warning=ExperimentalWarning', WORKLOAD, ...args]
      const child = startChild('sh', ['-ec', 'echo 0 > "$0/cgroup.procs"; exec "$@"', directory, ...enter, ...node])
      started.push(child)
      return child
    },
    counters: () => readCounters(namespace),
  }
}
