/** The way of records through the whole path: kernel, ring, reader thread, JavaScript, series store. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eachEnd, type Records } from '../../src/receivers/netvitals/kernel/decode.ts'
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
  const onRecord = (records: Records, kind: number) => {
    if (kind >= Kind.cgroupMkdir) return
    if (kind !== Kind.ends) connections.apply(records, kind)
    else if (!connections.applyEnds(records)) eachEnd(records, onRecord)
  }
  const tracer = createTracer({
    ringBytes: 8 * 2 ** 20,
    maxSockets: 262_144,
    onBatch: () => connections.beginBatch(Date.now()),
    joinEnds: true,
    onRecord,
    onError: (error) => {
      throw error
    },
  })
  try {
    const kernelMib = tracer.usage().mapBytes / 2 ** 20
    const map = ringId(process.pid)
    const fill = (what: 'ends' | 'retransmits') =>
      runJson<{ records: number; seconds: number }>(
        program,
        ...[object, map, String(CONNECTIONS_A_ROUND), String(DESTINATIONS), what],
      )
    const pass = async (what: 'ends' | 'retransmits') => {
      const millions: number[] = []
      const microseconds: number[] = []
      for (let round = 0; round < ROUNDS + WARM_UP_ROUNDS; round++) {
        await sleep(100)
        const readBefore = tracer.reading().records
        const cpuBefore = process.cpuUsage()
        const { records, seconds } = await fill(what)
        const began = performance.now()
        await tracer.flush()
        const { user, system } = process.cpuUsage(cpuBefore)
        const read = tracer.reading().records - readBefore
        if (read < records) throw new Error(`${records} records went in, ${read} came out`)
        if (round < WARM_UP_ROUNDS) continue
        millions.push(records / (seconds + (performance.now() - began) / 1000) / 1e6)
        microseconds.push((user + system) / records)
      }
      return { millions: median(millions), microseconds: median(microseconds) }
    }
    const ends = await pass('ends')
    const all = await pass('retransmits')
    return [
      atLeast('path: records through the ring to the store, none lost', all.millions, 'million/s', 3),
      information('path: CPU of all our threads for a record', all.microseconds, 'us'),
      atLeast('path: the same of short connections, which come joined', ends.millions, 'million/s', 3),
      information('path: CPU of all our threads for one of these', ends.microseconds, 'us'),
      atMost('path: idle kernel memory, maps with a ring of 8 MiB', kernelMib, 'MiB', MAX_KERNEL_MIB),
    ]
  } finally {
    tracer.close()
    await containers.stop()
  }
}

if (import.meta.main) console.table(await bench())
