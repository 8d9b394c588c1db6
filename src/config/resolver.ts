import { ConfigError, configError, reasonOf } from '../errors.ts'
import { expandTree } from './expand.ts'
import { type MergeOptions, merge, unflatten } from './merge.ts'
import { type Provider, type Providers, type Retrieved, standardProviders } from './providers.ts'
import { createSizeLimit, goType, isMap, type SizeLimit, type Tree, withoutPassword } from './value.ts'

export interface ResolveOptions extends MergeOptions {
  /** `scheme:value`, or a path. Later ones override earlier ones. */
  readonly uris: readonly string[]
  /** Which schemes there are. */
  readonly providers?: Providers
  /** What `${NAME}` means; '' for nothing. */
  readonly defaultScheme?: string
  /** A reference to a variable that is not set, and the like: said, not refused. */
  readonly warn?: (message: string) => void
}

/** RFC 3986, with the Collector's minimum of two letters: one letter is a drive. */
const URI = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s

/** Longest any one URI may take. */
const RETRIEVE_TIMEOUT_MS = 5000

export type Retrieve = (scheme: string, opaque: string) => Promise<Retrieved>

/**
 * URIs to one tree: each is retrieved and merged over those before it, then `${...}` is expanded in the result
 * (after the merge, so that what is overridden is never asked for).
 * @throws ConfigError with every mistake found
 */
export async function resolve(options: ResolveOptions): Promise<Tree> {
  const { uris, providers = standardProviders, defaultScheme = 'env', warn = () => {}, ...mergeOptions } = options
  const locations = uris.map((uri) => locate(uri, providers))
  const retrieve: Retrieve = (scheme, opaque) => retrieveWithin(providers.get(scheme), scheme, opaque, warn)
  const limit = createSizeLimit()
  let tree: Tree = {}
  for (const { scheme, opaque } of locations) {
    tree = merge(tree, await retrieveMap(retrieve, scheme, opaque, limit), mergeOptions)
  }
  return expandTree(tree, { retrieve, defaultScheme, limit })
}

function locate(uri: string, providers: Providers): { scheme: string; opaque: string } {
  if (uri === '') throw configError('resolver', [], 'invalid uri: ""', 'name a file: --config=netvitals.yaml')
  if (/^[A-Za-z]:/.test(uri) || !uri.includes(':')) return { scheme: 'file', opaque: uri }
  const [, scheme, opaque] = URI.exec(uri) ?? []
  if (scheme === undefined || opaque === undefined)
    throw configError('resolver', [], `invalid uri: ${JSON.stringify(withoutPassword(uri))}`)
  if (!providers.has(scheme)) {
    throw configError(
      'resolver',
      [],
      `unsupported scheme on URI ${JSON.stringify(withoutPassword(uri))}`,
      `schemes: ${[...providers.keys()].join(', ')}`,
    )
  }
  return { scheme, opaque }
}

async function retrieveMap(retrieve: Retrieve, scheme: string, opaque: string, limit: SizeLimit): Promise<Tree> {
  let retrieved: Retrieved
  try {
    retrieved = await retrieve(scheme, opaque)
    limit.add(retrieved.value)
    if (isMap(retrieved.value)) return unflatten(retrieved.value)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw configError('resolve', [], `cannot retrieve the configuration: ${reasonOf(error)}`)
  }
  const { value, hint } = retrieved
  if (value === null || value === undefined) return {}
  const reason = `retrieved value (type=${goType(value)}) cannot be used as a Conf${hint === undefined ? '' : `: ${hint}`}`
  throw configError('resolve', [], reason, `in ${scheme}:${scheme === 'yaml' ? '' : withoutPassword(opaque)}`)
}

/** The clock is kept here too: a provider that does not heed the signal must not hold the start. */
async function retrieveWithin(
  provider: Provider | undefined,
  scheme: string,
  opaque: string,
  warn: (message: string) => void,
): Promise<Retrieved> {
  const uri = withoutPassword(`${scheme}:${opaque}`)
  if (provider === undefined) throw new Error(`scheme "${scheme}" is not supported for uri "${uri}"`)
  const abort = new AbortController()
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    abort.abort()
    late.reject(new Error(`unable to read ${uri}: no answer within ${RETRIEVE_TIMEOUT_MS / 1000} s`))
  }, RETRIEVE_TIMEOUT_MS)
  try {
    const retrieved = await Promise.race([provider(opaque, { signal: abort.signal, warn }), late.promise])
    refuseUnsupported(retrieved.value)
    return retrieved
  } finally {
    clearTimeout(timer)
  }
}

/** Types that go-yaml makes and the Collector's tree does not have. */
function refuseUnsupported(value: unknown): void {
  if (typeof value !== 'bigint' || BigInt.asIntN(64, value) === value) return
  throw new Error('unsupported type=uint64 for retrieved config, ensure that values are wrapped in quotes')
}
