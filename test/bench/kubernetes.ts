/** What a copy of a large cluster costs: 5,000 pods of 8 kB, listed from a server in another process. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import type { Access } from '../../src/kubernetes/access.ts'
import { createKubernetes } from '../../src/kubernetes/index.ts'
import { createApiServer } from '../kubernetes/api-server.ts'
import { bigCluster, bigPod, containerId, podAddress } from '../kubernetes/big-cluster.ts'
import { residentBytes } from './processes.ts'
import { atMost, type BenchRow, information } from './row.ts'

const PODS = 5_000
const MB = 1e6

export async function bench(): Promise<BenchRow[]> {
  const server = fork(import.meta.filename, ['--server'])
  try {
    const [access] = (await once(server, 'message')) as [Access]
    return await measure(access)
  } finally {
    server.kill()
  }
}

// As the program does, before there is anything to measure.
setFlagsFromString('--semi-space-growth-factor=1')
setFlagsFromString('--expose-gc')

async function measure(access: Access): Promise<BenchRow[]> {
  globalThis.gc!()
  const before = residentBytes(process.pid)
  let peak = before
  const sampling = setInterval(() => {
    peak = Math.max(peak, residentBytes(process.pid))
  }, 20)
  const began = performance.now()
  const kubernetes = createKubernetes({ access, keepAnnotation: (key) => key.startsWith('resource.opentelemetry.io/') })
  kubernetes.start()
  await kubernetes.whenSynced()
  const seconds = (performance.now() - began) / 1000
  clearInterval(sampling)
  globalThis.gc!()
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const after = residentBytes(process.pid)

  const pods = kubernetes.status().find(({ resource }) => resource === 'pods')?.objects
  if (pods !== PODS) throw new Error(`${pods} pods of ${PODS}`)
  const rows = [
    information('kubernetes: the list of pods', (JSON.stringify(bigPod(1)).length * PODS) / MB, 'MB'),
    atMost('kubernetes: full sync at 5,000 pods', seconds, 's', 5),
    atMost('kubernetes: memory at 5,000 pods', (after - before) / MB, 'MB', 40),
    information('kubernetes: peak while listing', (peak - before) / MB, 'MB'),
    information(
      'kubernetes: name of an address',
      lookupNs((n) => kubernetes.byAddress(podAddress(n), 8080)),
      'ns',
    ),
    information(
      'kubernetes: name of a container',
      lookupNs((n) => kubernetes.byContainerId(containerId(n))),
      'ns',
    ),
  ]
  kubernetes.stop()
  return rows
}

function lookupNs(lookup: (n: number) => unknown): number {
  const began = performance.now()
  for (let n = 0; n < 10 * PODS; n++) if (lookup(n % PODS) === undefined) throw new Error(`${n} is not known`)
  return ((performance.now() - began) * 1e6) / (10 * PODS)
}

async function serve(): Promise<void> {
  const server = await createApiServer()
  for (const [path, items] of Object.entries(bigCluster(PODS))) server.set(path, items)
  const { certificates, access } = server
  process.once('SIGTERM', () => server[Symbol.asyncDispose]().then(() => process.exit(0)))
  process.send!({ ...access, ca: { file: certificates.caFile } })
}

if (import.meta.main) {
  if (process.argv.includes('--server')) await serve()
  else console.table(await bench())
}
