import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CHILD = join(import.meta.dirname, 'child.ts')
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']
const noScript = existsSync('/usr/bin/script')
  ? false
  : '/usr/bin/script (bsdutils), which makes a terminal, is not here'
const golden = (name: string) => readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8')

const PLAIN_ENV = { PATH: process.env.PATH, LANG: 'C.UTF-8', TERM: 'xterm-256color' }

function child(config: object, cycles: number, everyMs: number, env: object = {}) {
  const args = [...NODE_FLAGS, CHILD, JSON.stringify(config), String(cycles), String(everyMs)]
  return run(process.execPath, args, { env: { ...PLAIN_ENV, ...env } })
}

/** The same on a terminal of so many columns and rows; `script` passes on what the terminal would get. */
async function onTerminal(columns: number, rows: number, options: { env?: object; beside?: string } = {}) {
  const { env = {}, beside = '' } = options
  const command = `stty cols ${columns} rows ${rows}; ${beside} exec "$CHILD_NODE" ${NODE_FLAGS.join(' ')} "$CHILD_FILE" '{}' 3 400`
  const { stdout } = await run('/usr/bin/script', ['-qec', command, '/dev/null'], {
    env: { ...PLAIN_ENV, SHELL: '/bin/sh', CHILD_NODE: process.execPath, CHILD_FILE: CHILD, ...env },
  })
  return stdout
}

const HOME = '\x1b[H'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'

test('where the output is no terminal a table a cycle is appended, without any control sequence', async () => {
  const { stdout, stderr } = await child({}, 3, 150)
  const tables = stdout.trimEnd().split('\n\n')
  assert.equal(tables.length, 3)
  assert.ok(!stdout.includes('\x1b'))
  const expected = golden('120-plain.txt').trimEnd().split('\n').slice(2)
  assert.deepEqual(tables[2]!.split('\n').slice(2), expected)
  assert.match(tables[2]!.split('\n')[0]!, /2026-08-21T14:03:15Z$/)
  assert.equal(stderr, 'stopping\nstopped\n')
})

test('COLUMNS sets the width of appended tables, colour can be asked for', async () => {
  const { stdout } = await child({ color: 'always' }, 3, 150, { COLUMNS: '80' })
  const table = stdout.trimEnd().split('\n\n')[2]!
  assert.deepEqual(table.split('\n').slice(2), golden('80-color.ansi').trimEnd().split('\n').slice(2))
})

test('a cycle that is not yet drawn is drawn by stop', async () => {
  const { stdout } = await child({}, 1, 0)
  assert.match(stdout, /shop\/front-end/)
})

test('on a terminal each cycle is drawn over the one before, and the cursor comes back', {
  skip: noScript,
}, async () => {
  const output = await onTerminal(120, 30)
  const frames = output.split(HOME).slice(1)
  assert.equal(frames.length, 4, 'the one before the first cycle, then one a cycle')
  assert.match(frames[0]!, /Waiting for the first cycle/)
  assert.equal(output.split(HIDE_CURSOR).length, 2)
  assert.ok(output.lastIndexOf(SHOW_CURSOR) > output.lastIndexOf(HOME))
  assert.ok(!output.includes('\x1b[?1049h'), 'no alternate screen: the last table stays')
  const lines = frames[3]!.split(/\r+\n/).map((line) => line.replace('\x1b[K', ''))
  const expected = golden('120-color.ansi').trimEnd().split('\n')
  assert.deepEqual(lines.slice(1, expected.length), expected.slice(1))
})

test('a terminal that changes its size is drawn anew at once', { skip: noScript }, async () => {
  const output = await onTerminal(120, 30, { beside: '(sleep 1.3; stty cols 80 rows 10 </dev/tty) &' })
  const last = output.split(HOME).at(-1)!.split(/\r+\n/)
  assert.equal(last[1]!.match(/─+/)?.[0].length, 80)
  // 10 rows, the last of them the cursor's, where the child says 'stopping' and 'stopped'.
  assert.ok(last.length <= 10 + 2)
  assert.match(last.join('\n'), /… \d+ more/)
})

test('a dumb terminal and NO_COLOR get plain text', { skip: noScript }, async () => {
  const dumb = await onTerminal(80, 30, { env: { TERM: 'dumb' } })
  assert.match(dumb, /shop\/catalog/)
  assert.ok(!dumb.includes('\x1b'))
  const plain = await onTerminal(80, 30, { env: { NO_COLOR: '1' } })
  assert.match(plain, /shop\/catalog/)
  assert.ok(!plain.includes('\x1b[0m'))
})

test('when the reader goes the exporter falls silent and the program goes on', async () => {
  const args = [...NODE_FLAGS, CHILD, '{}', '12', '100']
  const process_ = spawn(process.execPath, args, { env: PLAIN_ENV, stdio: ['ignore', 'pipe', 'pipe'] })
  process_.stdout!.once('data', () => process_.stdout!.destroy())
  const { code, stderr } = await ended(process_)
  assert.equal(stderr, 'console output down: nobody reads it any more\nstopping\nstopped\n')
  assert.equal(code, 0)
})

test('a reader that does not read holds nobody up: tables are left out, stop and exit do not wait', async () => {
  const args = [...NODE_FLAGS, CHILD, '{"rows":1}', '30', '60']
  const process_ = spawn('sh', ['-c', '{ "$@"; echo exited >&2; } | sleep 20', 'sh', process.execPath, ...args], {
    env: { ...PLAIN_ENV, COLUMNS: '4000' },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let stoppingMs = Number.POSITIVE_INFINITY
  let exitedMs = Number.POSITIVE_INFINITY
  process_.stderr!.on('data', (chunk) => {
    if (String(chunk).includes('stopping')) stoppingMs = performance.now()
    if (!String(chunk).includes('exited')) return
    exitedMs = performance.now()
    // The reader goes too.
    process.kill(-process_.pid!)
  })
  await ended(process_)
  const tookMs = exitedMs - stoppingMs
  assert.ok(tookMs < 2500, `exited ${tookMs} ms after the last table, while the reader still slept`)
})

test('neither console nor debug loads the SDK, gRPC or anything else heavy', async () => {
  const script = `
    import { registerHooks } from 'node:module'
    const seen = []
    registerHooks({ resolve: (name, context, next) => { const result = next(name, context); seen.push(result.url); return result } })
    await import(${JSON.stringify(join(import.meta.dirname, '../../../src/exporters/console/index.ts'))})
    await import(${JSON.stringify(join(import.meta.dirname, '../../../src/exporters/debug/index.ts'))})
    console.log([...new Set(seen.map((url) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]).filter(Boolean))].sort().join(' '))
  `
  const { stdout } = await run(process.execPath, [...NODE_FLAGS, '--input-type=module', '-e', script])
  assert.deepEqual(
    stdout
      .trim()
      .split(' ')
      .filter((name) => !['zod', 'pino', 'yaml'].includes(name)),
    [''].filter(Boolean),
  )
})

async function ended(process_: ChildProcess): Promise<{ code: number | null; stderr: string }> {
  let stderr = ''
  process_.stderr!.on('data', (chunk) => {
    stderr += chunk
  })
  const code = await new Promise<number | null>((resolve) => process_.on('close', resolve))
  return { code, stderr }
}
