// Runs the gates and the tests of a suite, one after the other, under the project's own Node.
//
//   node test/run.mjs [--suite unit|containers|asan|kubernetes] [name…]      a name: only test files whose path has it
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)
const { values, positionals } = parseArgs({
  options: { suite: { type: 'string', default: 'all' } },
  allowPositionals: true,
})

/** Folders that only their own suite runs. */
const apart = { containers: ['test/containers'], asan: ['test/asan'], kubernetes: ['test/k8s'] }
/** Needs the machine to itself: one file at a time, after the rest. */
const alone = [
  ...['test/kernel', 'test/native', 'test/e2e', 'test/commands', 'test/receivers/netvitals/kernel'],
  ...['test/faults', 'test/experiments'],
]

const under = (folders) => (file) => folders.some((folder) => file.startsWith(`${folder}/`))
const all = readdirSync('test', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
  .map((entry) => relative(root, join(entry.parentPath, entry.name)))
  .filter((file) => positionals.length === 0 || positionals.some((name) => file.includes(name)))
  .sort()

const gates = [
  ['biome', ['check', '--error-on-warnings', '.']],
  ['tsc', ['--noEmit']],
]

let failed = false

/** What tests configure as tokens, passwords and keys has this in it, or is this number: whatever they print must not. */
const SECRET = /s3cret|987654321/

async function run(title, command, args) {
  const began = performance.now()
  console.log(`\n> ${title}`)
  const child = spawn(command, args, {
    stdio: ['inherit', 'pipe', 'pipe'],
  })
  const told = []
  const shown = [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ].map(async ([from, to]) => {
    let line = ''
    for await (const chunk of from.setEncoding('utf8')) {
      to.write(chunk)
      const lines = (line + chunk).split('\n')
      line = lines.pop()
      told.push(...lines.filter((text) => SECRET.test(text)))
    }
  })
  const [status, signal] = await once(child, 'close').catch((error) => [error.message])
  await Promise.all(shown)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  if (told.length > 0)
    console.log(`> ${title}: secrets were printed, in ${told.length} lines:\n${told.slice(0, 5).join('\n')}`)
  if (status === 0 && told.length === 0) return console.log(`> ${title}: passed in ${seconds} s`)
  failed = true
  console.log(`> ${title}: failed in ${seconds} s (${signal ?? `exit ${status}`})`)
}

async function test(title, files, concurrency) {
  if (files.length === 0) return
  await run(title, process.execPath, ['--test', `--test-concurrency=${concurrency}`, '--test-reporter=spec', ...files])
}

const suites = Object.keys(apart)
if (values.suite !== 'all' && !suites.includes(values.suite)) {
  console.error(`unknown suite "${values.suite}": one of ${suites.join(', ')}`)
  process.exit(2)
}
if (values.suite !== 'all') {
  await test(values.suite, all.filter(under(apart[values.suite])), 1)
} else {
  const own = all.filter((file) => !under(Object.values(apart).flat())(file))
  if (positionals.length === 0)
    for (const [command, args] of gates) await run(command, join('node_modules/.bin', command), args)
  await test(
    'unit tests',
    own.filter((file) => !under(alone)(file)),
    2,
  )
  await test('tests with kernel, network and processes', own.filter(under(alone)), 1)
}
process.exit(failed ? 1 : 0)
