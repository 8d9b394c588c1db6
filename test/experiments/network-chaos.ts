import { type Document, LineCounter, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import type { Chance, Effect } from '../faults/types.ts'

/** What a NetworkChaos document of Chaos Mesh asks for, as far as it can be played on one machine. */
export interface NetworkChaos {
  readonly name: string
  readonly effect: Effect
  readonly action: Action
  /** Which packets it concerns: those to the target, those from it, or both. */
  readonly direction: 'to' | 'from' | 'both'
  readonly selector: PodSelector
  /** Undefined: every other pod. */
  readonly target: PodSelector | undefined
  /** How long it lasts in a cluster; undefined is until it is deleted. */
  readonly durationMs: number | undefined
}

export interface PodSelector {
  readonly namespaces: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** Names by namespace; undefined: whatever they are called. */
  readonly pods: Readonly<Record<string, readonly string[]>> | undefined
  /** One of them, or all. */
  readonly mode: 'one' | 'all'
}

const ACTIONS = ['partition', 'delay', 'loss', 'corrupt', 'bandwidth'] as const
export type Action = (typeof ACTIONS)[number]

/** Of Chaos Mesh's own, what these experiments do without. */
const NOT_PLAYED = ['netem', 'duplicate', 'reorder']

const quoted = (what: string) => z.string({ error: ({ input }) => `expected ${what} in quotes, found ${show(input)}` })

const duration = (example: string) =>
  quoted(`a duration such as '${example}'`).transform((text, ctx) => {
    const us = parseDuration(text)
    if (us !== undefined) return us
    ctx.addIssue(`expected a duration such as '${example}', found ${show(text)}; units: us, ms, s, m, h`)
    return z.NEVER
  })

const percent = quoted("a percentage such as '30'").transform((text, ctx) => {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 100) return value
  ctx.addIssue(`expected a percentage from '0' to '100', found ${show(text)}`)
  return z.NEVER
})

const rate = quoted("a rate such as '1mbps'").transform((text, ctx) => {
  const [, count, prefix] = /^\s*(\d+)\s*([kmgt]?)bps\s*$/i.exec(text) ?? []
  if (count !== undefined) return Number(count) * 1024 ** ' kmgt'.indexOf((prefix || ' ').toLowerCase())
  ctx.addIssue(`expected a rate such as '1mbps' (bytes a second: bps, kbps, mbps, gbps, tbps), found ${show(text)}`)
  return z.NEVER
})

const bytes = z
  .number({ error: ({ input }) => `expected a number of bytes, found ${show(input)}` })
  .int()
  .min(1)
const correlation = percent.prefault('0')

/** Either what it says, or undefined; unknown keys are refused with those that are known. */
function object<T extends z.ZodRawShape>(shape: T) {
  const keys = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: ({ code, input, ...issue }) => {
      if (code !== 'unrecognized_keys') return `expected a map, found ${show(input)}`
      return `unknown here: ${(issue as { keys?: string[] }).keys?.join(', ')}; understood: ${keys}`
    },
  })
}

const words = (what: string) => ({
  error: ({ input }: { input?: unknown }) => `expected ${what}, found ${show(input)}`,
})
const names = z.array(z.string(words('a name')), words('a list of names'))
const mode = oneOf(['one', 'all'])
const selector = object({
  namespaces: names.optional(),
  labelSelectors: z.record(z.string(), z.string(words('a text')), words('a map of labels')).prefault({}),
  pods: z.record(z.string(), names, words('a map of names by namespace')).optional(),
})

const spec = object({
  action: oneOf(ACTIONS, NOT_PLAYED),
  mode,
  selector,
  direction: oneOf(['to', 'from', 'both']).prefault('to'),
  target: object({ mode, selector }).optional(),
  duration: duration('2m').optional(),
  delay: object({ latency: duration('50ms'), jitter: duration('10ms').prefault('0ms'), correlation }).optional(),
  loss: object({ loss: percent, correlation }).optional(),
  corrupt: object({ corrupt: percent, correlation }).optional(),
  bandwidth: object({ rate, limit: bytes, buffer: bytes }).optional(),
}).superRefine((value, ctx) => {
  const { action, direction, target } = value
  const add = (path: string, message: string) => ctx.addIssue({ code: 'custom', path: [path], message })
  for (const other of ACTIONS)
    if (other !== 'partition' && other !== action && value[other] !== undefined)
      add(other, `has no effect with action ${action}; remove it, or write action: ${other}`)
  if (action !== 'partition' && value[action] === undefined) add(action, `missing, though the action is ${action}`)
  if (direction !== 'to' && target === undefined)
    add('target', `missing, though the direction is ${direction}: whose packets?`)
})

const document = object({
  apiVersion: z.literal('chaos-mesh.org/v1alpha1', {
    error: ({ input }) => `expected chaos-mesh.org/v1alpha1, found ${show(input)}`,
  }),
  kind: z.literal('NetworkChaos', { error: ({ input }) => `expected NetworkChaos, found ${show(input)}` }),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().prefault('default') }),
  spec,
})

/**
 * The one NetworkChaos of a YAML text.
 *
 * @param source where it is from, for messages
 * @throws Error with a line for each mistake: where, what is expected, what is there
 */
export function parseNetworkChaos(text: string, source: string): NetworkChaos {
  const lines = new LineCounter()
  const documents = parseAllDocuments(text, { lineCounter: lines }) as Document.Parsed[]
  const broken = documents.flatMap(({ errors }) => errors)
  if (broken.length > 0) throw new Error(broken.map(({ message }) => `${source}: ${message}`).join('\n'))
  if (documents.length !== 1) throw new Error(`${source}: expected one document, found ${documents.length}`)
  const { success, data, error } = document.safeParse(documents[0]!.toJS())
  if (!success) {
    const mistakes = error.issues.map(({ path, message }) => `${source}: ${path.join('.') || 'document'}: ${message}`)
    throw new Error(mistakes.join('\n'))
  }
  const { metadata, spec } = data
  return {
    name: metadata.name,
    action: spec.action,
    effect: effectOf(spec),
    direction: spec.direction,
    selector: selectorOf(spec, metadata.namespace),
    target: spec.target && selectorOf(spec.target, metadata.namespace),
    durationMs: spec.duration === undefined ? undefined : spec.duration / 1000,
  }
}

function effectOf({ action, delay, loss, corrupt, bandwidth }: z.output<typeof spec>): Effect {
  const chance = (percent: number, correlationPercent: number): Chance => ({ percent, correlationPercent })
  if (action === 'delay') {
    const { latency: latencyUs, jitter: jitterUs, correlation: correlationPercent } = delay!
    return { delay: { latencyUs, jitterUs, correlationPercent } }
  }
  if (action === 'loss') return { loss: chance(loss!.loss, loss!.correlation) }
  if (action === 'corrupt') return { corrupt: chance(corrupt!.corrupt, corrupt!.correlation) }
  if (action === 'partition') return 'partition'
  const { rate: bytesPerSecond, limit: limitBytes, buffer: bufferBytes } = bandwidth!
  return { bandwidth: { bytesPerSecond, limitBytes, bufferBytes } }
}

type Selecting = Pick<z.output<typeof spec>, 'mode' | 'selector'>

function selectorOf({ mode, selector }: Selecting, namespace: string): PodSelector {
  const { namespaces = [namespace], labelSelectors: labels, pods } = selector
  return { namespaces, labels, pods, mode }
}

function oneOf<const T extends readonly string[]>(values: T, others: readonly string[] = []) {
  return z.enum(values, {
    error: ({ input }) =>
      `expected ${values.join(', ')}, found ${show(input)}${
        others.includes(input as string) ? ' (Chaos Mesh has it; it is not played here)' : ''
      }`,
  })
}

const UNITS_US: Readonly<Record<string, number>> = { us: 1, µs: 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6 }

/** Microseconds, of what Go's time.ParseDuration takes: `1m30s`, `50ms`; 0 needs no unit. */
function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return undefined
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_US[unit!]!, 0)
}

const show = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
