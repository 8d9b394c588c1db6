/**
 * Every error that netvitals itself raises has a code from this registry; src/errors.md explains each, and a test
 * holds the two together. `{name}` in a message is filled from the parameters.
 */
export const ERRORS = {
  NETVITALS_CONFIG_FLAGS: '{reason}',
  NETVITALS_CONFIG_RESOLVER: '{reason}',
  NETVITALS_CONFIG_RESOLVE: 'failed to get config: cannot resolve the configuration: {reason}',
  NETVITALS_CONFIG_UNMARSHAL: 'failed to get config: cannot unmarshal the configuration: {reason}',
  NETVITALS_CONFIG_VALIDATE: 'invalid configuration: {reason}',
  NETVITALS_COMPONENT_LOAD: 'cannot load {kind} "{type}": {reason}',
  NETVITALS_COMPONENT_CREATE: 'failed to create "{id}" {kind}: {reason}',
  NETVITALS_COMPONENT_START: 'failed to start "{id}" {kind}: {reason}',
  NETVITALS_COMPONENT_STOP: 'failed to shut down "{id}" {kind}: {reason}',
  NETVITALS_ADDON_MISSING: 'the native addon (build/netvitals.node) is not built; run: npm run setup',
  NETVITALS_ADDON_LAYOUT:
    'the native addon does not fit this source: record sizes {expected} expected, {found} found; run: npm run setup',
  NETVITALS_BPF_PERMISSION:
    '{reason}; run as root, or with the capabilities CAP_BPF and CAP_PERFMON (before kernel 5.8: CAP_SYS_ADMIN)',
  NETVITALS_NO_BTF:
    '{reason}; netvitals needs a kernel of 5.10 or newer built with CONFIG_DEBUG_INFO_BTF=y, and /sys mounted where it runs',
  NETVITALS_BPF_LOAD:
    '{reason}; netvitals needs a kernel of 5.10 or newer with BTF; please report this with `uname -r`',
  NETVITALS_KUBERNETES_ACCESS: '{reason}',
  NETVITALS_QUEUE_FULL: 'sending queue is full',
  NETVITALS_UNCAUGHT: 'unexpected error, terminating: {reason}',
} as const

export type ErrorCode = keyof typeof ERRORS

export interface CodedError extends Error {
  readonly code: ErrorCode
}

/** @example throw codedError('NETVITALS_COMPONENT_START', { id, kind, reason: reasonOf(error) }, error) */
export function codedError(code: ErrorCode, params: Record<string, string> = {}, cause?: unknown): CodedError {
  const message = ERRORS[code].replace(/\{(\w+)\}/g, (hole, name: string) => params[name] ?? hole)
  return Object.assign(new Error(message, cause === undefined ? undefined : { cause }), { code })
}

/** What went wrong, on one line and without a stack, whatever was thrown. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return thrown.errors.map(reasonOf).join('; ')
  if (thrown instanceof Error) return (thrown.message || thrown.name).trim()
  return String(thrown)
}

/** The stages of reading a configuration, in their order; each has the Collector's own words before its errors. */
export type ConfigStage = 'flags' | 'resolver' | 'resolve' | 'unmarshal' | 'validate'

/** One mistake in a configuration. */
export interface ConfigProblem {
  readonly stage: ConfigStage
  /** The key's place, as the Collector writes it when joined: `exporters::otlp_grpc::timeout`. Empty for the whole. */
  readonly path: readonly string[]
  /** Worded as the Collector words it, where it has this error. */
  readonly message: string
  /** For 'unmarshal': what the Collector prints before the errors of a component, and of a part of it that decodes itself. */
  readonly where?: readonly string[]
  /** What to write instead. */
  readonly remedy?: string
}

/** All the mistakes that could be found in one reading. `message` is what `netvitals run` prints after `Error: `. */
export class ConfigError extends Error {
  readonly code: ErrorCode
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(describeProblems(problems, 'run'))
    this.name = 'ConfigError'
    this.problems = problems
    this.code = CODES[problems[0]?.stage ?? 'validate']
  }
}

/** A configuration's one mistake. */
export function configError(
  stage: ConfigStage,
  path: readonly string[],
  message: string,
  remedy?: string,
): ConfigError {
  return new ConfigError([{ stage, path, message, ...(remedy === undefined ? {} : { remedy }) }])
}

const CODES: Record<ConfigStage, ErrorCode> = {
  flags: 'NETVITALS_CONFIG_FLAGS',
  resolver: 'NETVITALS_CONFIG_RESOLVER',
  resolve: 'NETVITALS_CONFIG_RESOLVE',
  unmarshal: 'NETVITALS_CONFIG_UNMARSHAL',
  validate: 'NETVITALS_CONFIG_VALIDATE',
}

/** Before each list of decoding errors, as the Collector's decoder writes it. */
const DECODING = 'decoding failed due to the following error(s):\n\n'

/**
 * The Collector's text for these problems, stage by stage; our remedy on a line of its own, indented by four, so that
 * a script that matches the Collector's lines still does. `validate` differs from `run` as the Collector's commands do.
 */
export function describeProblems(problems: readonly ConfigProblem[], command: 'run' | 'validate'): string {
  const stages = Object.keys(CODES) as ConfigStage[]
  const texts = stages.flatMap((stage) => {
    const found = problems.filter((problem) => problem.stage === stage)
    if (found.length === 0) return []
    const reason = stage === 'unmarshal' ? describeDecoding(found) : found.map(describeLine).join('\n')
    return [stage === 'validate' && command === 'validate' ? reason : codedError(CODES[stage], { reason }).message]
  })
  return texts.join('\nError: ')
}

function describeDecoding(problems: readonly ConfigProblem[], depth = 0): string {
  const places = Map.groupBy(problems, (problem) => problem.where?.[depth])
  const texts = [...places].map(([where, found]) =>
    where === undefined ? found.map(describeLine).join('\n') : where + describeDecoding(found, depth + 1),
  )
  return DECODING + texts.join('\n')
}

function describeLine({ stage, path, message, remedy }: ConfigProblem): string {
  const place = path.join('::')
  if (stage === 'validate') {
    return `${place === '' ? '' : `${place}: `}${message}${remedy === undefined ? '' : `\n    ${remedy}`}`
  }
  const second = place === '' ? remedy : `at ${place}${remedy === undefined ? '' : `: ${remedy}`}`
  return second === undefined ? message : `${message}\n    ${second}`
}
