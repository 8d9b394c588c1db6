/** How soon a second `npm start` says its first word, data arrive at a backend, and a configuration is checked. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { startMetricsServer } from '../exporters/metrics-server.ts'
import { root } from './build.ts'
import { atMost, type BenchRow, median } from './row.ts'

const ROUNDS = 7
/** The program as it is installed. */
const PROGRAM = join(root, 'dist', 'main.js')
const CONFIG_LINES = 300

export async function bench(): Promise<BenchRow[]> {
  // The first one may build.
  const firstLines = await measure(firstLogSeconds)
  const firstExports = await measure(firstExportSeconds)
  const validations = await measure(validateSeconds)
  return [
    atMost('start: second npm start to its first log line', median(firstLines), 's', 3),
    atMost('start: to the first export, intervals of 10 s', median(firstExports), 's', 2),
    atMost(`start: validate of ${CONFIG_LINES} lines`, median(validations) * 1000, 'ms', 400),
  ]
}

/** The first round is not counted. */
async function measure(seconds: () => Promise<number>): Promise<number[]> {
  const all: number[] = []
  for (let round = 0; round <= ROUNDS; round++) all.push(await seconds())
  return all.slice(1)
}

async function firstExportSeconds(): Promise<number> {
  const backend = await startMetricsServer()
  const config = {
    receivers: { netvitals: {} },
    exporters: { otlp_grpc: { endpoint: backend.endpoint, tls: { insecure: true } } },
    service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['otlp_grpc'] } } },
  }
  const began = performance.now()
  const child = spawn(process.execPath, [PROGRAM, '--config', `yaml:${JSON.stringify(config)}`], { stdio: 'ignore' })
  try {
    const exited = once(child, 'exit').then(() => Promise.reject(new Error('it ended without an export')))
    await Promise.race([backend.received(1), exited])
    const seconds = (performance.now() - began) / 1000
    child.kill('SIGTERM')
    await exited.catch(() => {})
    return seconds
  } finally {
    child.kill('SIGKILL')
    backend.stop()
  }
}

async function validateSeconds(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
  try {
    const path = join(directory, 'netvitals.yaml')
    writeFileSync(path, longConfig())
    const began = performance.now()
    const child = spawn(process.execPath, [PROGRAM, 'validate', '--config', path], { stdio: 'inherit' })
    const [code] = await once(child, 'exit')
    if (code !== 0) throw new Error(`validate ended with ${code}`)
    return (performance.now() - began) / 1000
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Exporters with as many keys as a user would write, as many as fill the lines. */
function longConfig(): string {
  const exporter = (n: number) => [
    `  otlp_grpc/${n}:`,
    '    endpoint: collector:4317',
    '    tls:',
    '      insecure: true',
    '    headers:',
    `      tenant: \${env:NETVITALS_TENANT:-t${n}}`,
    '    timeout: 10s',
    '    sending_queue:',
    '      queue_size: 100',
    '    retry_on_failure:',
    '      initial_interval: 1s',
    '      max_elapsed_time: 1m',
  ]
  const head = ['receivers:', '  netvitals:', '    collection_interval: 10s', 'exporters:']
  const pipeline = (ids: string) => [
    'service:',
    '  pipelines:',
    '    metrics:',
    '      receivers: [netvitals]',
    `      exporters: [${ids}]`,
  ]
  const count = Math.floor((CONFIG_LINES - head.length - pipeline('').length) / exporter(0).length)
  const numbers = Array.from({ length: count }, (_, n) => n)
  const lines = [...head, ...numbers.flatMap(exporter), ...pipeline(numbers.map((n) => `otlp_grpc/${n}`).join(', '))]
  return [...lines, ...Array<string>(CONFIG_LINES - lines.length).fill('# .'), ''].join('\n')
}

async function firstLogSeconds(): Promise<number> {
  const began = performance.now()
  // A process group of its own: npm, its shell and the program get the signal together, as from a terminal.
  const child = spawn('npm', ['start'], { cwd: root, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  let took: number | undefined
  for await (const line of createInterface(child.stderr)) {
    if (took === undefined && line.includes('Starting netvitals')) took = (performance.now() - began) / 1000
    if (line.includes('Everything is ready')) process.kill(-child.pid!, 'SIGTERM')
  }
  await exited
  if (took === undefined) throw new Error('npm start ended without a log line')
  return took
}

if (import.meta.main) console.table(await bench())
