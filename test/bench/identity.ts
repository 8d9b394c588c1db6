/** What it costs to find the container of a cgroup that is known, on the path of events. No kernel is needed. */
import { createContainers } from '../../src/receivers/netvitals/containers/index.ts'
import { mainThreadCpuSeconds } from './processes.ts'
import { atMost, type BenchRow, median } from './row.ts'

const ROUNDS = 7
const WARM_UP_ROUNDS = 3
const CONTAINERS = 1_000
const LOOKUPS = 2_000_000
const MAX_NS = 100

export async function bench(): Promise<BenchRow[]> {
  const containers = createContainers({ runtimes: [] })
  const ids: bigint[] = []
  for (let n = 0; n < CONTAINERS; n++) {
    const path = `/docker/${n.toString(16).padStart(64, '0')}`
    // Numbers as inodes are: a generation above 32 bits.
    const id = (1n << 32n) + BigInt(n * 7 + 1)
    containers.cgroupCreated(id, path)
    containers.cgroupCreated(id + 1n, `${path}/init`)
    ids.push(id, id + 1n)
  }
  const measured: number[] = []
  let found = 0
  for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round++) {
    const before = mainThreadCpuSeconds()
    for (let i = 0; i < LOOKUPS; i++) if (containers.byCgroup(ids[(i * 31) % ids.length]!).runtime === 'docker') found++
    if (round >= WARM_UP_ROUNDS) measured.push(((mainThreadCpuSeconds() - before) / LOOKUPS) * 1e9)
  }
  await containers.stop()
  if (found !== LOOKUPS * (ROUNDS + WARM_UP_ROUNDS)) throw new Error(`${found} lookups found their container`)
  return [atMost(`identity: CPU to find a known cgroup's container, of ${CONTAINERS}`, median(measured), 'ns', MAX_NS)]
}

if (import.meta.main) console.table(await bench())
