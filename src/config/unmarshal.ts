import type { z } from 'zod'
import { ConfigError, type ConfigProblem } from '../errors.ts'
import { decode } from './decode.ts'
import { createId, type ParsedId, parseId } from './id.ts'
import { nearest } from './nearest.ts'
import { type ServiceSection, serviceSection } from './service-section.ts'
import { validate } from './validate.ts'
import { goType, isMap, type Tree, typed } from './value.ts'

/** The sections that hold components, in the order in which their errors are told. */
export const SECTIONS = ['receivers', 'processors', 'exporters', 'connectors', 'extensions'] as const
export type Section = (typeof SECTIONS)[number]

/** What there is to configure. `F` is whatever makes the component: nothing here looks into it. */
export interface Registry<F> {
  /** Types that a section may have. */
  types(section: Section): readonly string[]
  /** Loads one type's schema, by its name or an older one (`renamedTo`). */
  find(section: Section, type: string): Promise<ComponentSpec<F> | undefined>
  /** For a type of the Collector's that is not here: what to use instead. */
  insteadOf(section: Section, type: string): string | undefined
}

export interface ComponentSpec<F> {
  readonly factory: F
  readonly schema: z.ZodType
  readonly renamedTo?: string
  /** Go's name of the config type where it is not the usual one. */
  readonly configName?: string
}

export interface ComponentConfig<F> {
  /** As it is written in the configuration. */
  readonly id: ParsedId
  readonly factory: F
  readonly schema: z.ZodType
  readonly config: unknown
}

/** A whole configuration, typed; components by their id. */
export interface Config<F> extends Record<Section, ReadonlyMap<string, ComponentConfig<F>>> {
  readonly service: ServiceSection
}

export interface UnmarshalOptions<F> {
  readonly registry: Registry<F>
  /** Signals that a pipeline may carry. */
  readonly signals?: readonly string[]
  readonly warn?: (message: string) => void
  /** false: what has the right form is taken, whatever it says (`print-config --validate=false`). */
  readonly validate?: boolean
}

/**
 * Types the resolved tree: each component by its own schema, then the references between them.
 * @throws ConfigError with every mistake that could be found
 */
export async function unmarshal<F>(tree: Tree, options: UnmarshalOptions<F>): Promise<Config<F>> {
  const { registry, signals = ['metrics'], warn = () => {}, validate: validating = true } = options
  const problems: ConfigProblem[] = [...unknownSections(tree)]
  const sections = {} as Record<Section, ReadonlyMap<string, ComponentConfig<F>>>
  const ids = {} as Record<Section, ReadonlySet<string>>
  for (const section of SECTIONS) {
    const decoded = await decodeSection(section, typed(tree[section]), registry, warn, validating)
    problems.push(...decoded.problems)
    sections[section] = decoded.components
    ids[section] = decoded.ids
  }
  const decodedService = decode(serviceSection, tree.service ?? {}, {
    path: ['service'],
    place: 'service',
    skipChecks: !validating,
  })
  problems.push(...decodedService.problems)
  if ('value' in decodedService) {
    const service = decodedService.value
    const filled = SECTIONS.filter((section) => ids[section].size > 0 || isFilled(tree[section]))
    if (validating) problems.push(...validate(service, ids, new Set(filled), signals))
    if (problems.length === 0) return { ...sections, service }
  }
  throw new ConfigError(firstStage(problems))
}

/** As in the Collector, what was read wrong hides what it would have meant. */
function firstStage(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const decoding = problems.filter(({ stage }) => stage === 'unmarshal')
  return decoding.length > 0 ? decoding : problems
}

function isFilled(section: unknown): boolean {
  const value = typed(section)
  return isMap(value) ? Object.keys(value).length > 0 : value !== undefined && value !== null
}

function unknownSections(tree: Tree): ConfigProblem[] {
  const known: readonly string[] = [...SECTIONS, 'service']
  const unknown = Object.keys(tree).filter((key) => !known.includes(key))
  if (unknown.length === 0) return []
  const remedies = unknown.map((key) => {
    const guess = nearest(key, known)
    return `at ${key}: ${guess === undefined ? `sections: ${known.join(', ')}` : `did you mean "${guess}"?`}`
  })
  const message = `'otelcol.configSettings' has invalid keys: ${unknown.sort().join(', ')}`
  return [{ stage: 'unmarshal', path: [], message, remedy: remedies.join('\n    ') }]
}

interface DecodedSection<F> {
  readonly components: ReadonlyMap<string, ComponentConfig<F>>
  /** Also of those with errors, so that a reference to them isn't one more error. */
  readonly ids: ReadonlySet<string>
  readonly problems: readonly ConfigProblem[]
}

async function decodeSection<F>(
  section: Section,
  input: unknown,
  registry: Registry<F>,
  warn: (message: string) => void,
  validating: boolean,
): Promise<DecodedSection<F>> {
  const components = new Map<string, ComponentConfig<F>>()
  const ids = new Set<string>()
  const problems: ConfigProblem[] = []
  const refuse = (path: string[], message: string, remedy?: string, where: string[] = []): void => {
    problems.push({ stage: 'unmarshal', path, message, where, ...(remedy === undefined ? {} : { remedy }) })
  }
  if (input === undefined || input === null) return { components, ids, problems }
  if (!isMap(input)) {
    refuse([section], `'${section}' expected type 'map[string]interface {}', got unconvertible type '${goType(input)}'`)
    return { components, ids, problems }
  }
  for (const [key, value] of Object.entries(input)) {
    const path = [section, key]
    const settings = typed(value)
    if (settings !== null && !isMap(settings)) {
      const message = `'[${key}]' expected type 'map[string]interface {}', got unconvertible type '${goType(settings)}'`
      refuse(path, message, 'write its settings below it, or nothing', [`'${section}' `])
    }
    let id: ParsedId
    try {
      id = parseId(key)
    } catch (error) {
      refuse(path, `'${section}' ${(error as Error).message}`)
      continue
    }
    if (ids.has(id.toString())) {
      refuse(path, `'${section}' '' duplicate name "${id}" after unmarshaling ${id}`, 'give one of them another name')
      continue
    }
    ids.add(id.toString())
    const spec = await registry.find(section, id.type)
    if (spec === undefined) {
      refuse(path, describeUnknownType(section, id, registry), suggestType(section, id.type, registry))
      continue
    }
    if (spec.renamedTo !== undefined) warn(renamed(section, id, spec.renamedTo))
    if (settings !== null && !isMap(settings)) continue
    const decoded = decode(spec.schema, settings ?? {}, {
      path,
      where: [`'${section}' error reading configuration for "${id}": `],
      rootName: spec.configName ?? configName(section, spec.renamedTo ?? id.type),
      skipChecks: !validating,
    })
    problems.push(...decoded.problems)
    if ('value' in decoded) {
      components.set(id.toString(), { id, factory: spec.factory, schema: spec.schema, config: decoded.value })
    }
  }
  return { components, ids, problems }
}

function describeUnknownType<F>(section: Section, id: ParsedId, registry: Registry<F>): string {
  return `'${section}' unknown type: "${id.type}" for id: "${id}" (valid values: [${registry.types(section).join(' ')}])`
}

function suggestType<F>(section: Section, type: string, registry: Registry<F>): string | undefined {
  const instead = registry.insteadOf(section, type)
  if (instead !== undefined) return instead
  const guess = nearest(type, registry.types(section))
  return guess === undefined ? undefined : `did you mean "${guess}"?`
}

function renamed(section: Section, id: ParsedId, type: string): string {
  return `"${id.type}" is an older name: write "${createId(type, id.name)}" in ${section}`
}

/** Go's name of a component's config type, which the Collector prints for an unknown key: `debugexporter.Config`. */
function configName(section: Section, type: string): string {
  const short = type === 'otlp_grpc' ? 'otlp' : type.replaceAll('_', '')
  return `${short}${section.slice(0, -1)}.Config`
}
