/** The way of records through the whole path: kernel, ring, reader thread, JavaScript, series store. */
import { setTimeout as sleep } from 'node:timers/promises'
import { eachEnd, type Records } from '../../src/receivers/netvitals/kernel/decode.ts'
import { Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { createTracer } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { buildObject, buildProgram } from './build.ts'
import { ofAllRounds, type Rounds, roundsOnWholeCore } from './core.ts'
import { ringId, runJson } from './processes.ts'
import { atLeast, atMost, type BenchRow, information, median } from './row.ts'
import { createStages } from './stages.ts'

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
    const pass = (what: 'ends' | 'retransmits') =>
      roundsOnWholeCore(async () => {
        await sleep(100)
        const readBefore = tracer.reading().records
        const cpuBefore = process.cpuUsage()
        const { records, seconds } = await fill(what)
        const began = performance.now()
        await tracer.flush()
        const { user, system } = process.cpuUsage(cpuBefore)
        const read = tracer.reading().records - readBefore
        if (read < records) throw new Error(`${records} records went in, ${read} came out`)
        return {
          millions: records / (seconds + (performance.now() - began) / 1000) / 1e6,
          microseconds: (user + system) / records,
        }
      })
    const ends = await pass('ends')
    const all = await pass('retransmits')
    return [
      ...rows('records through the ring to the store, none lost', all),
      ...rows('the same of short connections, which come joined', ends),
      atMost('path: idle kernel memory, maps with a ring of 8 MiB', kernelMib, 'MiB', MAX_KERNEL_MIB),
    ]
  } finally {
    tracer.close()
    await containers.stop()
  }
}

function rows(name: string, rounds: Rounds<{ millions: number; microseconds: number }>): BenchRow[] {
  const millions = rounds.counted.map((of) => of.millions)
  const microseconds = rounds.counted.map((of) => of.microseconds)
  const each = rounds.all.map((of) => of.millions)
  return [
    atLeast(`path: ${name}`, median(millions), 'million/s', 3),
    ofAllRounds(`path: ${name}`, { whole: rounds.whole, all: each }, 'million/s'),
    information('path: CPU of all our threads for one of these', median(microseconds), 'us'),
  ]
}

if (import.meta.main) console.table(await bench())
