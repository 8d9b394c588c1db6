import { COMPONENTS, type ComponentEntry } from '../../src/component/components.ts'
import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig, renderConfig } from '../../src/config/index.ts'
import { type Providers, standardProviders } from '../../src/config/providers.ts'
import { resolve } from '../../src/config/resolver.ts'
import { RESOLVED_LIMIT, sizeOf } from '../../src/config/value.ts'
import { ConfigError, describeProblems } from '../../src/errors.ts'
import { COLLECTOR_COMPONENTS } from '../conformance/components.ts'
import { readCorpus } from './corpus.ts'
import { createRandom, mutate } from './mutate.ts'

export interface FuzzOptions {
  readonly documents: number
  readonly seed: number
  /** Ends sooner when it has run for so long. */
  readonly maxMs?: number
}

export interface FuzzResult {
  readonly documents: number
  readonly taken: number
  readonly refused: number
  /** Most CPU time that one document took, and which. */
  readonly slowestMs: number
  readonly slowest: string
  readonly largestChars: number
}

/** Longest that one document may take, of the processor's time: the machine may have more to do. */
const MAX_MS = 1000

/** Nothing is read that the seed does not decide: no files, no network. */
const PROVIDERS: Providers = new Map([...standardProviders].filter(([scheme]) => scheme === 'env' || scheme === 'yaml'))

/**
 * Reads configurations that are wrong in every way there is.
 * @throws Error with the document when anything is thrown but a ConfigError, takes longer than a second or resolves to
 * more than 64 MiB
 */
export async function fuzz({ documents, seed, maxMs = Infinity }: FuzzOptions): Promise<FuzzResult> {
  const corpus = readCorpus()
  const random = createRandom(seed)
  const registry = createRegistry(
    await loaded([...COMPONENTS, ...COLLECTOR_COMPONENTS.filter((entry) => !COMPONENTS.includes(entry))]),
  )
  const begin = performance.now()
  const result = { documents: 0, taken: 0, refused: 0, slowestMs: 0, slowest: '', largestChars: 0 }
  while (result.documents < documents && performance.now() - begin < maxMs) {
    const text = mutate(corpus, random)
    const set = random() < 0.1 ? [mutate(corpus, random).slice(0, 60)] : []
    const before = process.cpuUsage()
    const { taken, chars } = await tryOne(text, set, registry).catch((error: unknown) => {
      throw new Error(describe(text, set, seed, result.documents), { cause: error })
    })
    const { user, system } = process.cpuUsage(before)
    const tookMs = (user + system) / 1000
    if (tookMs > MAX_MS) throw new Error(`${describe(text, set, seed, result.documents)}\ntook ${tookMs} ms`)
    if (chars > RESOLVED_LIMIT)
      throw new Error(`${describe(text, set, seed, result.documents)}\nmade ${chars} characters`)
    result.documents++
    result[taken ? 'taken' : 'refused']++
    result.largestChars = Math.max(result.largestChars, chars)
    if (tookMs > result.slowestMs) Object.assign(result, { slowestMs: tookMs, slowest: text })
  }
  return result
}

async function tryOne(text: string, sets: readonly string[], registry: ReturnType<typeof createRegistry>) {
  const uris = [`yaml:${text}`]
  let chars = 0
  try {
    chars = sizeOf(await resolve({ uris, providers: PROVIDERS }))
    const config = await loadConfig({ uris, sets, registry, providers: PROVIDERS })
    JSON.stringify(renderConfig(config, { durations: 'text' }))
    return { taken: true, chars }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    describeProblems(error.problems, 'validate')
    return { taken: false, chars }
  }
}

/** Loading a module is not the document's time. */
async function loaded(entries: readonly ComponentEntry[]): Promise<ComponentEntry[]> {
  return Promise.all(
    entries.map(async (entry) => {
      const module = await entry.load()
      return { ...entry, load: async () => module }
    }),
  )
}

function describe(text: string, sets: readonly string[], seed: number, index: number): string {
  return `seed ${seed}, document ${index}: ${JSON.stringify(text)} with --set ${JSON.stringify(sets)}`
}
