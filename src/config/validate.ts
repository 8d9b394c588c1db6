import type { ConfigProblem } from '../errors.ts'
import { type ParsedId, parseId } from './id.ts'
import { nearest } from './nearest.ts'
import type { PipelineConfig, ServiceSection } from './service-section.ts'

/** Ids that are configured, by section. */
export type ConfiguredIds = Readonly<
  Record<'receivers' | 'processors' | 'exporters' | 'connectors' | 'extensions', ReadonlySet<string>>
>

const ALL_SIGNALS = ['traces', 'metrics', 'logs', 'profiles']

/**
 * What the parts of a configuration must be to each other: at least one of each, and no reference into nothing.
 * `filled` are the sections with anything in them, be it right or wrong.
 */
export function validate(
  service: ServiceSection,
  ids: ConfiguredIds,
  filled: ReadonlySet<string>,
  signals: readonly string[],
): ConfigProblem[] {
  return [
    ...validateSections(filled),
    ...validateConnectors(ids),
    ...service.extensions.flatMap((id) =>
      ids.extensions.has(id.toString()) ? [] : [missing(['service', 'extensions'], 'extension', id, ids.extensions)],
    ),
    ...validatePipelines(service, ids, signals),
    ...validateTelemetry(service),
  ]
}

function problem(path: readonly string[], message: string, remedy?: string): ConfigProblem {
  return { stage: 'validate', path, message, ...(remedy === undefined ? {} : { remedy }) }
}

function validateSections(filled: ReadonlySet<string>): ConfigProblem[] {
  if (filled.size === 0) return [problem([], 'empty configuration file')]
  if (!filled.has('receivers')) return [problem([], 'no receiver configuration specified in config')]
  if (!filled.has('exporters')) return [problem([], 'no exporter configuration specified in config')]
  return []
}

function validateConnectors(ids: ConfiguredIds): ConfigProblem[] {
  return [...ids.connectors].flatMap((id) =>
    (['receiver', 'exporter'] as const)
      .filter((kind) => ids[`${kind}s`].has(id))
      .slice(-1)
      .map((kind) =>
        problem(
          ['connectors', id],
          `ambiguous ID: Found both "${id}" ${kind} and "${id}" connector. Change one of the components' IDs to ` +
            `eliminate ambiguity (e.g. rename "${id}" connector to "${id}/connector")`,
        ),
      ),
  )
}

function missing(path: readonly string[], kind: string, id: ParsedId, configured: ReadonlySet<string>): ConfigProblem {
  const guess = nearest(id.toString(), configured)
  const remedy = guess === undefined ? `add "${id}:" under ${kind}s` : `did you mean "${guess}"?`
  return problem(path, `references ${kind} "${id}" which is not configured`, remedy)
}

function validatePipelines(service: ServiceSection, ids: ConfiguredIds, signals: readonly string[]): ConfigProblem[] {
  const pipelines = Object.entries(service.pipelines)
  if (pipelines.length === 0) {
    const remedy = 'for example service: {pipelines: {metrics: {receivers: [netvitals], exporters: [console]}}}'
    return [problem(['service', 'pipelines'], 'service must have at least one pipeline', remedy)]
  }
  return pipelines.flatMap(([key, pipeline]) => validatePipeline(key, pipeline, ids, signals))
}

function validatePipeline(
  key: string,
  pipeline: PipelineConfig,
  ids: ConfiguredIds,
  signals: readonly string[],
): ConfigProblem[] {
  const path = ['service', 'pipelines', key]
  let signal: string
  try {
    signal = parseId(key).type
  } catch (error) {
    return [{ stage: 'unmarshal', path, message: `'service.pipelines' ${(error as Error).message}` }]
  }
  if (!ALL_SIGNALS.includes(signal)) {
    return [
      {
        stage: 'unmarshal',
        path,
        message: `'service.pipelines' unknown signal "${signal}"`,
        remedy: 'write metrics or metrics/name',
      },
    ]
  }
  if (!signals.includes(signal)) {
    return [
      problem(
        path,
        `${signal} pipelines do not exist here: netvitals makes metrics`,
        'leave it to the Collector beside netvitals',
      ),
    ]
  }
  const problems: ConfigProblem[] = []
  if (pipeline.receivers.length === 0) problems.push(problem(path, 'must have at least one receiver'))
  if (pipeline.exporters.length === 0) problems.push(problem(path, 'must have at least one exporter'))
  const check = (kind: string, used: readonly ParsedId[], configured: ReadonlySet<string>): void => {
    // An empty section is one mistake, said once.
    if (configured.size === 0 && kind !== 'processor') return
    for (const id of used) if (!configured.has(id.toString())) problems.push(missing(path, kind, id, configured))
  }
  check('receiver', pipeline.receivers, new Set([...ids.receivers, ...ids.connectors]))
  check('processor', pipeline.processors, ids.processors)
  check('exporter', pipeline.exporters, new Set([...ids.exporters, ...ids.connectors]))
  const seen = new Set<string>()
  for (const id of pipeline.processors.map(String)) {
    if (seen.has(id)) problems.push(problem(path, `references processor "${id}" multiple times`))
    seen.add(id)
  }
  return problems
}

function validateTelemetry({ telemetry: { metrics } }: ServiceSection): ConfigProblem[] {
  if (metrics.level === 'none' || metrics.readers === undefined || metrics.readers.length > 0) return []
  const message = 'collector telemetry metrics reader should exist when metric level is not none'
  return [problem(['service', 'telemetry'], message, 'leave out readers, or set metrics::level to none')]
}
