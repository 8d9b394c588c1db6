import { type AttributeSource, isList, type Metadata, type MetricSource, type Source } from './metadata.ts'

/** documentation.md, laid out as the Collector's mdatagen lays its components' out. */
export function documentation({ source }: Metadata): string {
  const metrics = Object.entries(source.metrics)
  const lines = [
    '[comment]: <> (Made from metrics/metadata.yaml by metrics/generate.ts: npm run generate. Do not edit.)',
    '',
    '# netvitals',
    '',
    '## Default Metrics',
    '',
    ...settings(
      'The following metrics are emitted by default. Each of them can be disabled:',
      'metrics',
      'metric',
      false,
    ),
    ...metrics.filter(([, metric]) => metric.enabled).flatMap(([name, metric]) => describe(source, name, metric)),
    '## Optional Metrics',
    '',
    ...settings(
      'The following metrics are not emitted by default. Each of them can be enabled:',
      'metrics',
      'metric',
      true,
    ),
    ...metrics.filter(([, metric]) => !metric.enabled).flatMap(([name, metric]) => describe(source, name, metric)),
    '## Link Attributes',
    '',
    'Every data point of a container carries what is known of the link that it is about. On the one series with',
    '`otel.metric.overflow`, which collects what happened beyond the limits, that attribute stands for all of these.',
    '',
    ...Object.entries(source.links).flatMap(([kind, link]) =>
      link.attributes.length === 0
        ? []
        : [`### ${kind}`, '', link.description, '', ...attributeTable(source, link.attributes)],
    ),
    '### overflow',
    '',
    ...attributeTable(source, ['otel.metric.overflow']),
    '## Resource Attributes',
    '',
    ...settings('Each of them can be disabled, the required ones excepted:', 'resource_attributes', 'attribute', false),
    '| Name | Description | Values | Enabled | Required |',
    '| ---- | ----------- | ------ | ------- | -------- |',
    ...Object.entries(source.resource_attributes).map(
      ([name, { description, type, enabled, required }]) =>
        `| ${name} | ${description} | Any ${title(type)} | ${enabled} | ${required ?? false} |`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

function settings(sentence: string, section: string, item: string, enabled: boolean): string[] {
  return [sentence, '', '```yaml', `${section}:`, `  <${item}>:`, `    enabled: ${enabled}`, '```', '']
}

function describe(source: Source, name: string, metric: MetricSource): string[] {
  const type = metric.sum ? 'Sum' : 'Gauge'
  const cells = [metric.unit, type, title((metric.sum ?? metric.gauge)!.value_type)]
  const heads = ['Unit', 'Metric Type', 'Value Type']
  if (metric.sum) {
    heads.push('Aggregation Temporality', 'Monotonic')
    cells.push('Cumulative', String(metric.sum.monotonic))
  }
  heads.push('Links', 'Emitted')
  cells.push(metric.links.join(', '), emitted(metric))
  return [
    `### ${name}`,
    '',
    metric.description,
    '',
    ...(metric.extended_documentation ? [metric.extended_documentation, ''] : []),
    ...(metric.required ? ['It is always emitted.', ''] : []),
    `| ${heads.join(' | ')} |`,
    `| ${heads.map((head) => '-'.repeat(head.length)).join(' | ')} |`,
    `| ${cells.join(' | ')} |`,
    '',
    ...(metric.attributes.length > 0 ? ['#### Attributes', '', ...attributeTable(source, metric.attributes)] : []),
  ]
}

function attributeTable(source: Source, ids: readonly string[]): string[] {
  return [
    '| Name | Description | Values | Requirement Level |',
    '| ---- | ----------- | ------ | ----------------- |',
    ...ids.map((id) => {
      const attribute = source.attributes[id]!
      const level = attribute.requirement_level === 'opt_in' ? 'Opt-In' : 'Recommended'
      return `| ${attribute.name_override ?? id} | ${attribute.description} | ${values(attribute)} | ${level} |`
    }),
    '',
  ]
}

function values({ enum: listed, depends_on, type }: AttributeSource): string {
  if (listed && !isList(listed))
    return Object.entries(listed)
      .map(([value, more]) => `${depends_on} ${value}: ${values({ description: '', type, enum: more })}`)
      .join('; ')
  return listed ? `${title(type)}: ${listed.map((value) => `\`\`${value}\`\``).join(', ')}` : `Any ${title(type)}`
}

const emittedWords = {
  standing: 'While the link is known',
  established: 'Once the link had a connection',
  touched: 'Once there was one',
  current: 'While its value is current',
}

function emitted({ emitted: when }: MetricSource): string {
  if (typeof when === 'string') return emittedWords[when]
  return Object.entries(when)
    .map(([value, word]) => `${value}: ${emittedWords[word].toLowerCase()}`)
    .join('; ')
}

function title(type: string): string {
  return type === 'string' ? 'Str' : type === 'boolean' ? 'Bool' : type[0]!.toUpperCase() + type.slice(1)
}
