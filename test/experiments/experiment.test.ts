import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually, startChild } from '../e2e/child.ts'
import { asNobody, ROOT } from '../e2e/program.ts'
import { agentUnavailable } from '../kernel/agent.ts'
import { cgroup2Mount, labUnavailable } from '../kernel/lab.ts'
import { runExperiment } from './experiment.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false
const RUN = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'run.ts')] as const
const document = (name: string) => readFileSync(join(ROOT, 'deploy', 'experiments', `${name}.yaml`), 'utf8')

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

/** The delay experiment one way with another number in it. */
async function play(latency: string) {
  const lines: string[] = []
  const outcome = await runExperiment({
    text: document('delay').replace('latency: 50ms', `latency: ${latency}`).replace('direction: both', 'direction: to'),
    source: 'delay.yaml',
    write: (line) => lines.push(line),
    columns: 110,
    leastFaultMs: 10_000,
  })
  return { ...outcome, output: lines.join('\n') }
}

test('a delay makes that pair slow and no other, and with another number in the YAML another delay is seen', {
  skip,
  timeout: 300_000,
}, async () => {
  const long = await play('50ms')
  assert.ok(long.affected.has('slow'), long.output)
  assert.deepEqual([...long.others], ['ok'], long.output)
  assert.ok(long.recovered, long.output)
  for (const title of ['── before ──', '── during: ', '── after: ']) assert.ok(long.output.includes(title), long.output)
  assert.match(long.output, /front-end → catalog-0 10\.213\.0\.2:8080: slow \d+\.\d s after the fault began/)

  const short = await play('20ms')
  assert.ok(median(long.pingsMs.before) < 10, long.output)
  // The first table with the fault has pings from before it.
  const slow = ({ pingsMs }: typeof long) => median(pingsMs.during.filter((ms) => ms > 9))
  assert.ok(Math.abs(slow(long) - 50) < 9, `${slow(long)}\n${long.output}`)
  assert.ok(Math.abs(slow(short) - 20) < 9, `${slow(short)}\n${short.output}`)
})

test('Ctrl-C leaves no namespace, no cgroup and no process', { skip, timeout: 60_000 }, async () => {
  await using run = startChild(RUN[0], [...RUN.slice(1), 'partition'], { cwd: ROOT, session: true })
  await run.output(/── before ──/, 50_000)
  const ours = () => [
    ...readdirSync('/run/netns').filter((name) => name.startsWith(`nv-${run.pid}-`)),
    ...readdirSync(cgroup2Mount()!).filter((name) => name.endsWith(`-${run.pid}`)),
  ]
  assert.ok(ours().length >= 5, 'pods, bridge and cgroups')
  run.signalGroup('SIGINT')
  assert.equal((await run.exit).code, 130)
  assert.deepEqual(ours(), [])
  const left = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && sessionOf(pid) === run.pid)
  await eventually('its processes to end', () => (left().length === 0 ? true : undefined))
})

test('a name that is none, and a document that is wrong, are told before anything is built', { skip }, async () => {
  for (const [argument, message, code] of [
    ['nonsense', /experiment: neither an experiment nor a file: nonsense .*partition, delay, loss/, 1],
    [join(ROOT, 'package.json'), /package\.json: kind: expected NetworkChaos/, 1],
    ['--help', /usage: npm run experiment -- NAME/, 2],
  ] as const) {
    await using run = startChild(RUN[0], [...RUN.slice(1), argument], { cwd: ROOT })
    assert.equal((await run.exit).code, code)
    assert.match(run.stderr(), message)
    assert.equal(run.stdout(), '')
  }
})

test('without root it says that it needs it', { skip }, async () => {
  const [command, ...args] = asNobody([...RUN, 'partition'])
  await using run = startChild(command!, args)
  assert.equal((await run.exit).code, 1)
  assert.match(run.stderr(), /experiment: cannot run here: needs root/)
})

function sessionOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // After the name in parentheses: state, parent, group, session.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3])
  } catch {
    return -1
  }
}
