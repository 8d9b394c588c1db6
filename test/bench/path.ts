/** The way of records through the whole path: kernel, ring, reader thread, JavaScript, series store. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createTracer } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { buildObject, buildProgram } from './build.ts'
import { ringId, runJson } from './processes.ts'
import { atLeast, atMost, type BenchRow, information, median } from './row.ts'
import { createStages } from './stages.ts'

const ROUNDS = 7
const WARM_UP_ROUNDS = 3
const DESTINATIONS = 900
const CONNECTIONS_A_ROUND = 1_000_000
const MAX_KERNEL_MIB = 16

export async function bench(): Promise<BenchRow[]> {
  const program = buildProgram('fill')
  const object = buildObject('fill')
  const { containers, connections } = createStages()
  await containers.start()
  let read = 0
  const tracer = createTracer({
    ringBytes: 8 * 2 ** 20,
    maxSockets: 262_144,
    onBatch: () => connections.beginBatch(Date.now()),
    onRecord: (records, kind) => {
      read++
      if (kind < Kind.cgroupMkdir) connections.apply(records, kind)
    },
    onError: (error) => {
      throw error
    },
  })
  try {
    const kernelMib = tracer.usage().mapBytes / 2 ** 20
    const map = ringId(process.pid)
    const millions: number[] = []
    const microseconds: number[] = []
    for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round++) {
      await sleep(100)
      const readBefore = read
      const cpuBefore = process.cpuUsage()
      const { records, seconds } = await runJson<{ records: number; seconds: number }>(
        program,
        ...[object, map, String(CONNECTIONS_A_ROUND), String(DESTINATIONS)],
      )
      const began = performance.now()
      await tracer.flush()
      const { user, system } = process.cpuUsage(cpuBefore)
      if (read - readBefore < records) throw new Error(`${records} records went in, ${read - readBefore} came out`)
      if (round < WARM_UP_ROUNDS) continue
      millions.push(records / (seconds + (performance.now() - began) / 1000) / 1e6)
      microseconds.push((user + system) / records)
    }
    return [
      atLeast('path: records through the ring to the store, none lost', median(millions), 'million/s', 3),
      information('path: CPU of all our threads for a record', median(microseconds), 'us'),
      atMost('path: idle kernel memory, maps with a ring of 8 MiB', kernelMib, 'MiB', MAX_KERNEL_MIB),
    ]
  } finally {
    tracer.close()
    await containers.stop()
  }
}

if (import.meta.main) console.table(await bench())
