// Plays the experiments of deploy/experiments on this machine: npm run experiment -- <name>|<file>|all
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { labUnavailable } from '../kernel/lab.ts'
import { type Outcome, runExperiment } from './experiment.ts'
import { type Action, parseNetworkChaos } from './network-chaos.ts'

const FOLDER = join(import.meta.dirname, '../../deploy/experiments')
/** In the order in which they are told; others by name after them. */
const FIRST = ['partition', 'delay', 'loss']
/** What each is to bring about: one of these statuses. */
const EXPECTED: Readonly<Record<Action, readonly string[]>> = {
  partition: ['failed'],
  delay: ['slow'],
  loss: ['lossy'],
  corrupt: ['lossy'],
  bandwidth: ['slow', 'lossy'],
}
const NARROWEST = 80
const WIDEST = 112
const MARK_COLUMNS = 2

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  console.error(`experiment: ${error.message}`)
  return 1
})

async function main(args: readonly string[]): Promise<number> {
  const known = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
  const order = [...FIRST, ...known.filter((name) => !FIRST.includes(name)).sort()]
  const [wanted] = args
  if (wanted === undefined || args.length > 1 || wanted.startsWith('-')) {
    console.error(`usage: npm run experiment -- NAME | FILE.yaml | all\nnames: ${order.join(', ')}`)
    return 2
  }
  const files = wanted === 'all' ? order.map(fileOf) : [known.includes(wanted) ? fileOf(wanted) : wanted]
  const reason = labUnavailable()
  if (reason !== undefined) throw new Error(`cannot run here: ${reason}`)
  // A second Ctrl-C while namespaces are removed must not leave them.
  process.on('SIGINT', () => process.exit(130))
  process.on('SIGTERM', () => process.exit(143))
  const texts = files.map((file) => ({ file, text: read(file, order) }))
  const verdicts: string[] = []
  let failed = 0
  for (const { file, text } of texts) {
    const { name, action } = parseNetworkChaos(text, relative(process.cwd(), file))
    const outcome = await runExperiment({ text, source: file, write: console.log, columns: width() })
    const wrong = mistakes(outcome, EXPECTED[action])
    verdicts.push(wrong.length === 0 ? `${name}: as expected, ${seen(outcome)}` : `${name}: ${wrong.join('; ')}`)
    if (wrong.length > 0) failed++
  }
  for (const line of verdicts) console.log(line)
  return failed === 0 ? 0 : 1
}

function fileOf(name: string): string {
  return join(FOLDER, `${name}.yaml`)
}

function read(file: string, names: readonly string[]): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(`neither an experiment nor a file: ${file} (${code}); experiments: ${names.join(', ')}, all`)
  }
}

function width(): number {
  return Math.min(Math.max((process.stdout.columns ?? WIDEST) - MARK_COLUMNS, NARROWEST), WIDEST)
}

function mistakes({ affected, others, recovered }: Outcome, expected: readonly string[]): string[] {
  const bad = [...others].filter((status) => status !== 'ok' && status !== 'idle')
  return [
    ...(expected.some((status) => affected.has(status))
      ? []
      : [`expected the pair to be ${expected.join(' or ')}, it was ${[...affected].join(', ')}`]),
    ...(bad.length > 0 ? [`another pair was ${bad.join(', ')}`] : []),
    ...(recovered ? [] : ['the pair did not recover in time']),
  ]
}

function seen({ affected }: Outcome): string {
  return `the pair was ${[...affected].join(', then ')}, the others stayed ok`
}
