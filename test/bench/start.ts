/** How soon a second `npm start` says its first word. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { root } from './build.ts'
import { atMost, type BenchRow, median } from './row.ts'

const ROUNDS = 7

export async function bench(): Promise<BenchRow[]> {
  const seconds: number[] = []
  // The first one may build.
  for (let round = 0; round <= ROUNDS; round++) {
    const took = await firstLogSeconds()
    if (round > 0) seconds.push(took)
  }
  return [atMost('start: second npm start to its first log line', median(seconds), 's', 3)]
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
