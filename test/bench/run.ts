/**
 * Every bench, each in a process of its own, and one table of what they found.
 *
 *   npm run bench -- [--json] [name…]      names: store, export, kubernetes, apply,
 *                                              identity, path, probes, translation, traced, idle, start, containers
 *
 * Exits with 1 when a target was missed.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import type { BenchRow } from './row.ts'

/** In the order of their run: those that need the machine to themselves last. */
const names = ['store', 'export', 'kubernetes', 'apply', 'identity', 'path', 'probes', 'translation', 'traced']
names.push('idle', 'start', 'containers')

async function runApart(name: string): Promise<BenchRow[]> {
  const child = fork(import.meta.filename, ['--child', name], { execArgv: ['--expose-gc'] })
  const rows: BenchRow[] = []
  child.on('message', (message) => rows.push(...(message as BenchRow[])))
  const [code, signal] = await once(child, 'exit')
  if (code !== 0) throw new Error(`the bench ${name} ended with ${code ?? signal}`)
  return rows
}

function print(rows: readonly BenchRow[]): void {
  const lines = rows.map((row) => [row.name, `${round(row.value)} ${row.unit}`, target(row), ratio(row), verdict(row)])
  const table = [['name', 'measured', 'target', 'ratio', ''], ...lines]
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)))
  for (const line of table)
    console.log(
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  '),
    )
}

const round = (value: number) => (Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3))))
const target = ({ target, more, unit }: BenchRow) =>
  target === undefined ? '' : `${more ? '>=' : '<='} ${target} ${unit}`
const ratio = ({ target, value }: BenchRow) => (target === undefined ? '' : (value / target).toFixed(2))
const verdict = ({ target, ok }: BenchRow) => (target === undefined ? '' : ok ? 'ok' : 'MISSED')

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, child: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const unknown = positionals.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    console.error(`unknown bench "${unknown}": one of ${names.join(', ')}`)
    return 2
  }
  if (values.child) {
    const { bench } = (await import(`./${positionals[0]}.ts`)) as { bench(): Promise<BenchRow[]> }
    process.send!(await bench())
    process.disconnect()
    return 0
  }
  const rows: BenchRow[] = []
  for (const name of positionals.length > 0 ? positionals : names) {
    if (!values.json) console.error(`> ${name}`)
    rows.push(...(await runApart(name)))
  }
  if (values.json) console.log(JSON.stringify(rows, undefined, 2))
  else print(rows)
  return rows.every(({ ok }) => ok) ? 0 : 1
}

process.exitCode = await main()
