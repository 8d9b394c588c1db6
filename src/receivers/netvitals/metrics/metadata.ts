import { parse } from 'yaml'
import type { Column, Emitted, LinkLayout, Metric, ResourceAttribute } from './schema.ts'

export interface AttributeSource {
  readonly name_override?: string
  readonly description: string
  readonly type: 'string' | 'int' | 'boolean'
  /** Its values; of one that depends on another, by that one's value: where there is none the attribute is left out. */
  readonly enum?: readonly string[] | Readonly<Record<string, readonly string[]>>
  /** The attribute that stands before it in a metric. */
  readonly depends_on?: string
  readonly requirement_level?: 'opt_in'
}

interface ResourceAttributeSource extends AttributeSource {
  readonly enabled: boolean
  readonly required?: boolean
}

export interface MetricSource {
  readonly enabled: boolean
  readonly required?: boolean
  readonly description: string
  readonly extended_documentation?: string
  readonly unit: string
  readonly sum?: { readonly value_type: 'int' | 'double'; readonly monotonic: boolean }
  readonly gauge?: { readonly value_type: 'int' | 'double'; readonly constant?: number; readonly nan?: boolean }
  readonly links: readonly string[]
  readonly attributes: readonly string[]
  /** One word, or one for each value of one of the metric's attributes. */
  readonly emitted: Emitted | Readonly<Record<string, Emitted>>
  readonly role?: 'active' | 'rtt'
}

interface LinkSource {
  readonly description: string
  readonly fixed?: Readonly<Record<string, string>>
  readonly until_released?: boolean
  readonly own_limit?: boolean
  readonly attributes: readonly string[]
}

export interface Source {
  readonly scope_name: string
  readonly links: Readonly<Record<string, LinkSource>>
  readonly attributes: Readonly<Record<string, AttributeSource>>
  readonly resource_attributes: Readonly<Record<string, ResourceAttributeSource>>
  readonly metrics: Readonly<Record<string, MetricSource>>
}

export interface Metadata {
  readonly source: Source
  readonly metrics: readonly Metric[]
  readonly resourceAttributes: readonly ResourceAttribute[]
  readonly links: Readonly<Record<string, LinkLayout>>
}

/** Reads metadata.yaml and expands it to columns. Throws an Error that names the entry and what is wrong with it. */
export function readMetadata(text: string): Metadata {
  const source = parse(text) as Source
  for (const [name, metric] of Object.entries(source.metrics)) checkMetric(source, name, metric)
  for (const [kind, link] of Object.entries(source.links)) {
    for (const attribute of link.attributes) known(source.attributes, attribute, `links::${kind}::attributes`)
  }
  const names = Object.keys(source.metrics)
  return {
    source,
    metrics: Object.entries(source.metrics).map(([name, metric]) => ({
      name,
      description: metric.description,
      unit: metric.unit,
      type: metric.sum ? 'sum' : 'gauge',
      monotonic: metric.sum?.monotonic ?? false,
      valueType: (metric.sum ?? metric.gauge)!.value_type,
      enabled: metric.enabled,
      required: metric.required ?? false,
    })),
    resourceAttributes: Object.entries(source.resource_attributes).map(([name, attribute]) => ({
      name,
      description: attribute.description,
      enabled: attribute.enabled,
      required: attribute.required ?? false,
    })),
    links: Object.fromEntries(
      Object.entries(source.links).map(([kind, link]) => [
        kind,
        {
          untilReleased: link.until_released ?? false,
          ownLimit: link.own_limit ?? false,
          columns: names.flatMap((name, index) => expand(source, kind, name, index)),
        },
      ]),
    ),
  }
}

function checkMetric(source: Source, name: string, metric: MetricSource): void {
  const place = `metrics::${name}`
  if (!metric.sum === !metric.gauge) throw new Error(`${place}: expected either sum or gauge`)
  if (metric.required && !metric.enabled) throw new Error(`${place}: required and not enabled; drop one of the two`)
  if (metric.gauge && metric.emitted !== 'current') throw new Error(`${place}::emitted: a gauge is emitted: current`)
  for (const kind of metric.links) known(source.links, kind, `${place}::links`)
  for (const [index, attribute] of metric.attributes.entries()) {
    const { enum: listed, depends_on } = known(source.attributes, attribute, `${place}::attributes`)
    if (!listed)
      throw new Error(`${place}::attributes: ${attribute} has no enum; a column needs to know every value beforehand`)
    if (!isList(listed) && !metric.attributes.slice(0, index).includes(depends_on ?? ''))
      throw new Error(`${place}::attributes: ${attribute} depends on ${depends_on}, which has to stand before it`)
  }
}

function known<T>(entries: Readonly<Record<string, T>>, name: string, place: string): T {
  const entry = entries[name]
  if (!entry) throw new Error(`${place}: ${name} is not defined; defined are ${Object.keys(entries).join(', ')}`)
  return entry
}

/** The columns that a metric has on a kind of link: one for each combination of what it enumerates and the link doesn't fix. */
function expand(source: Source, kind: string, name: string, index: number): Column[] {
  const metric = source.metrics[name]!
  if (!metric.links.includes(kind)) return []
  const fixed = source.links[kind]!.fixed ?? {}
  let combinations: { attributes: Record<string, string>; words: string[] }[] = [{ attributes: {}, words: [] }]
  for (const id of metric.attributes) {
    const attribute = source.attributes[id]!
    const key = attribute.name_override ?? id
    combinations = combinations.flatMap(({ attributes, words }) => {
      if (fixed[key] !== undefined) return [{ attributes: { ...attributes, [key]: fixed[key] }, words }]
      const values = valuesAfter(attribute, attributes)
      if (values.length === 0) return [{ attributes, words }]
      return values.map((value) => ({ attributes: { ...attributes, [key]: value }, words: [...words, value] }))
    })
  }
  const last = name.slice(name.lastIndexOf('.') + 1)
  return combinations.map(({ attributes, words }) => ({
    name: camelCase([last, ...words].join('_')),
    metric: index,
    attributes,
    emitted: emittedOf(metric, name, words),
    ...(metric.gauge?.constant !== undefined && { constant: metric.gauge.constant }),
    ...(metric.gauge?.nan && { nan: true }),
    ...(metric.role && { role: metric.role }),
  }))
}

/** The values that an attribute has beside those that were chosen before it. */
function valuesAfter({ enum: listed, depends_on }: AttributeSource, chosen: Readonly<Record<string, string>>) {
  if (isList(listed)) return listed
  return listed?.[chosen[depends_on ?? ''] ?? ''] ?? []
}

export function isList(listed: AttributeSource['enum']): listed is readonly string[] {
  return Array.isArray(listed)
}

function emittedOf({ emitted }: MetricSource, name: string, words: readonly string[]): Emitted {
  if (typeof emitted === 'string') return emitted
  const word = words.find((each) => each in emitted) ?? words.at(-1) ?? ''
  return known(emitted, word, `metrics::${name}::emitted`)
}

function camelCase(words: string): string {
  return words.toLowerCase().replace(/[_.]+(\w)/g, (_, letter: string) => letter.toUpperCase())
}
