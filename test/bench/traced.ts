/** What connections cost while they are watched: the workload's own CPU, and ours. */
import { setTimeout as sleep } from 'node:timers/promises'
import { buildObject, buildProgram } from './build.ts'
import { cpuSeconds, type Running, runJson, startHelper, startNetvitals, startYardstick } from './processes.ts'
import { atMost, type BenchRow, information, median } from './row.ts'

const ROUNDS = 9
const CONNECTIONS = 40_000
const OUR_ROUNDS = 7
const WARM_UP_ROUNDS = 3
const OUR_CONNECTIONS = 100_000
/** Long enough for the last records to be read. */
const SETTLE_MS = 500

interface Churn {
  readonly connections: number
  readonly wallSeconds: number
  readonly cpuSeconds: number
}

/**
 * An idle processor of a virtual machine is given back to the host, and what it takes to wake it is counted as CPU of
 * whoever runs there; a connection is much waiting for the other end. So all are kept awake, but for one row that tells
 * the difference.
 */
export async function bench(): Promise<BenchRow[]> {
  const halting = await ours()
  const awake = await startHelper([buildProgram('awake')])
  try {
    return [
      ...(await workload()),
      atMost('traced: CPU of netvitals for 100,000 connections', await ours(), 's', 0.2),
      information('traced: the same where idle processors halt', halting, 's'),
    ]
  } finally {
    await awake.stop()
  }
}

/** Connections per second swing with whatever else runs; CPU per connection hardly does. */
async function workload(): Promise<BenchRow[]> {
  const churn = buildProgram('churn')
  const program = buildProgram('yardstick')
  const object = buildObject('yardstick')
  const ways: Record<'untraced' | 'yardstick' | 'netvitals', () => Promise<Running | undefined>> = {
    untraced: async () => undefined,
    yardstick: () => startYardstick(program, object),
    netvitals: () => startNetvitals(),
  }
  const names = Object.keys(ways) as (keyof typeof ways)[]
  const microseconds = { untraced: [] as number[], yardstick: [] as number[], netvitals: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    // Each in each place, so that none always comes after the same one.
    for (let place = 0; place < names.length; place++) {
      const name = names[(round + place) % names.length]!
      const watching = await ways[name]()
      const { cpuSeconds: seconds, connections } = await runJson<Churn>(churn, String(CONNECTIONS))
      microseconds[name].push((seconds / connections) * 1e6)
      await watching?.stop()
    }
  }
  const untraced = median(microseconds.untraced)
  const yardstick = median(microseconds.yardstick)
  const netvitals = median(microseconds.netvitals)
  return [
    information('traced: CPU of a connection, both ends, untraced', untraced, 'us'),
    information('traced: the same with the yardstick', yardstick, 'us'),
    information('traced: the same with netvitals', netvitals, 'us'),
    information('traced: yardstick against untraced', yardstick / untraced, 'ratio'),
    atMost('traced: netvitals against untraced', netvitals / untraced, 'ratio', 1.06),
    atMost('traced: netvitals against the yardstick', netvitals / yardstick, 'ratio', 1),
  ]
}

/** Seconds of all threads of the program, cycles included, while it sees both ends of 100,000 connections. */
async function ours(): Promise<number> {
  const churn = buildProgram('churn')
  const netvitals = await startNetvitals()
  const spent: number[] = []
  try {
    // Before, because what is compiled then is compiled once in a run of weeks.
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await runJson<Churn>(churn, String(OUR_CONNECTIONS))
    for (let round = 0; round < OUR_ROUNDS; round++) {
      await sleep(SETTLE_MS)
      const before = cpuSeconds(netvitals.pid)
      await runJson<Churn>(churn, String(OUR_CONNECTIONS))
      await sleep(SETTLE_MS)
      spent.push(cpuSeconds(netvitals.pid) - before)
    }
  } finally {
    await netvitals.stop()
  }
  return median(spent)
}

if (import.meta.main) console.table(await bench())
