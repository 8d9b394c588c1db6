/** What it costs to apply a record to its row: all metrics of that destination together. No kernel is needed. */
import { createRecords, eachRecord, type Records } from '../../src/receivers/netvitals/kernel/decode.ts'
import { ConnLayout, Direction, Flag, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { ofAllRounds, roundsOnWholeCore } from './core.ts'
import { mainThreadCpuSeconds } from './processes.ts'
import { atMost, type BenchRow, median } from './row.ts'
import { createStages } from './stages.ts'

const DESTINATIONS = 900
const LIVE = 50_000
const MAX_NS = 200

/** Records of `kinds` for each connection, one connection after the other. */
function writeRecords(connections: number, kinds: readonly number[]): Records {
  const bytes = new Uint8Array(connections * kinds.length * ConnLayout.size)
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let connection = 0; connection < connections; connection++) {
    for (const kind of kinds) {
      const ended = kind === Kind.end
      view.setUint32(at + ConnLayout.kind, kind, true)
      view.setBigUint64(at + ConnLayout.id, (BigInt(connection % 2) << 40n) + BigInt(connection + 1), true)
      view.setBigUint64(at + ConnLayout.cgroupId, 1n, true)
      view.setBigUint64(at + ConnLayout.connectNs, 1_000_000n, true)
      view.setUint8(at + ConnLayout.direction, Direction.outbound)
      view.setUint8(at + ConnLayout.family, 4)
      view.setUint8(at + ConnLayout.flags, Flag.established)
      view.setUint8(at + ConnLayout.state, ended ? 7 : 1)
      view.setUint16(at + ConnLayout.localPort, 40_000, true)
      view.setUint16(at + ConnLayout.remotePort, 80, true)
      if (ended || kind === Kind.sample) {
        view.setBigUint64(at + ConnLayout.bytesSent, 100n, true)
        view.setBigUint64(at + ConnLayout.bytesReceived, 1000n, true)
        view.setUint32(at + ConnLayout.segmentsSent, 2, true)
        view.setUint32(at + ConnLayout.srttUs, 250, true)
      }
      bytes.set([10, 0, (connection % DESTINATIONS) >> 8, (connection % DESTINATIONS) & 255], at + ConnLayout.remote)
      at += ConnLayout.size
    }
  }
  return createRecords(bytes)
}

export async function bench(): Promise<BenchRow[]> {
  const { connections, store } = createStages()
  const churn = writeRecords(2_000, [Kind.retrans, Kind.end])
  const openings = writeRecords(LIVE, [Kind.retrans])
  const samples = writeRecords(LIVE, [Kind.sample])
  const nsEach = (records: Records, times: number) => {
    const before = mainThreadCpuSeconds()
    let count = 0
    for (let i = 0; i < times; i++) {
      connections.beginBatch(Date.now())
      count += eachRecord(records, records.bytes.length, connections.apply)
    }
    return ((mainThreadCpuSeconds() - before) / count) * 1e9
  }
  const short = await roundsOnWholeCore(() => nsEach(churn, 100))
  nsEach(openings, 1)
  const walks = await roundsOnWholeCore(() => {
    const ns = nsEach(samples, 5)
    connections.endWalk(0)
    connections.endCycle()
    return ns
  })
  if (connections.stats().tracked !== LIVE || store.stats().links !== DESTINATIONS)
    throw new Error(`the records did not arrive: ${JSON.stringify([connections.stats(), store.stats()])}`)
  return [
    atMost('apply: CPU to apply a record of a short connection', median(short.counted), 'ns', MAX_NS),
    ofAllRounds('apply: of a short connection', short, 'ns'),
    atMost(`apply: CPU to apply a walk's record, ${LIVE} live connections`, median(walks.counted), 'ns', MAX_NS),
    ofAllRounds("apply: a walk's", walks, 'ns'),
  ]
}

if (import.meta.main) console.table(await bench())
