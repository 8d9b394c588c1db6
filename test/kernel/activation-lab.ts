import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Batch } from '../../src/component/types.ts'
import { compileProgram } from '../support/compile.ts'
import { type Container, cgroup2Mount, type Lab, type Namespace } from './lab.ts'
import { between, readCounters } from './oracle.ts'
import { type Filter, sumPoints } from './points.ts'

/** A process of activation/activate.c. */
export interface Commanded {
  /** @throws Error when it ends instead of answering, or takes ten seconds */
  command(line: string): Promise<number>
}

/** Where processes are that are in no cgroup of their own. */
export const rootCgroup = (): Container => ({
  ...{ id: 'host', cgroup: '/', directory: cgroup2Mount()!, cgroupId: 1n },
})

/** The init process is there too: what it makes and hands over is not to be told from what others there make. */
export const initIsInRoot = () => /^0::\/$/m.test(readFileSync('/proc/1/cgroup', 'utf8'))

export const procsOf = ({ directory }: Container) => join(directory, 'cgroup.procs')

export function startCommanded(lab: Lab, namespace: Namespace, container: Container, ...args: string[]): Commanded {
  const child = lab.spawn(namespace, container, [compileProgram(join(import.meta.dirname, 'activation')), ...args])
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    async command(line) {
      child.stdin!.write(`${line}\n`)
      const late = sleep(10_000, undefined, { ref: false }).then(() => assert.fail(`"${line}": no answer`))
      const { value, done } = await Promise.race([lines.next(), late])
      assert.ok(!done, `"${line}": ${args[0]} ended`)
      return Number(value.split(' ')[1])
    },
  }
}

/** What was told of one listening port: of a container, or of everybody else. */
export function inbound(batch: Batch, port: number, container?: Container) {
  const resource: Filter['resource'] = container
    ? { 'container.id': container.id }
    : { 'container.id': (id) => id === undefined }
  const sum = (metric: string, more = {}) =>
    sumPoints(batch, {
      ...{ metric: `container.net.tcp.${metric}`, resource },
      point: { 'destination.port': port, ...more },
    })
  const ofConnections = { direction: 'inbound' }
  return {
    connects: sum('successful_connects', ofConnections),
    active: sum('active_connections', ofConnections),
    received: sum('bytes_received', ofConnections),
    sent: sum('bytes_sent', ofConnections),
  }
}

/** Connections that the kernel counted as accepted since. */
export function acceptedSince(namespace: Namespace): () => number {
  const before = readCounters(namespace)
  return () => between(before, readCounters(namespace)).PassiveOpens!
}
