/** Where netvitals answers otherwise than the Collector on purpose, and why. */

interface Reason {
  /** A case's id, or the place of an effective value; `*` is any one part of it. */
  readonly where: string
  /** Only where the Collector has null. */
  readonly ofNull?: true
  readonly why: string
}

/** Cases that have another outcome here. */
const TLS_TWICE = 'the Collector says it twice, of the struct and of the one embedded in it; here it is said once'

const CASES: readonly Reason[] = [
  { where: 'cast-x18-uint32', why: 'the Collector lets 2^32 wrap around to 0 silently; here it is refused' },
  { where: 'cast-x21-float', why: 'no setting means anything at infinity: refused with its key' },
  { where: 'cast-x22-float', why: 'no setting means anything when it is no number: refused with its key' },
  {
    where: 'yaml-invalid-file-testdata',
    why: 'the words of another YAML parser; `yaml: line N: ` before them is alike',
  },
  { where: 'exp-otlp-inv-invalid-tls', why: TLS_TWICE },
  { where: 'exp-otlp-tls-both-ca', why: TLS_TWICE },
  { where: 'exp-otlp-tls-both-cert', why: TLS_TWICE },
  { where: 'exp-otlp-tls-min-gt-max', why: TLS_TWICE },
]

/** Values that are others here, or exist only in the Collector. */
const VALUES: readonly Reason[] = [
  {
    where: 'service::telemetry::metrics::readers',
    why: 'nothing listens on a port here, so there is no pull reader by default',
  },
  {
    where: 'service::telemetry::resource::schema_url',
    why: 'the resource of the own metrics is a plain map of attributes: it has no schema',
  },
  {
    where: 'exporters::*::sending_queue::num_consumers',
    why: '10 consumers of a Collector send out of order, which Prometheus refuses: 1 by default',
  },
  {
    where: 'exporters::*::sending_queue::sizer',
    why: "the Collector's own encoder prints {} for every sizer (the cases' README: treat as opaque)",
  },
  { where: 'exporters::*::sending_queue::storage', why: 'an extension id: text here, so empty and not null' },
  {
    where: 'exporters::*::sending_queue::batch',
    why: 'null is its defaults in the Collector and absent here; max_size is its only key with effect, and off in both',
  },
  {
    where: 'exporters::*::sending_queue',
    ofNull: true,
    why: 'switched off it is null in the Collector; here its keys are shown with enabled: false',
  },
  {
    where: 'exporters::*::keepalive::timeout',
    why: "0 stands for gRPC's own default of 20 s in the Collector; here it is said",
  },
]

export const REASONS = [...CASES, ...VALUES]

const used = new Set<string>()

export function reasonFor(id: string): string | undefined {
  const reason = CASES.find(({ where }) => where === id)
  if (reason !== undefined) used.add(id)
  return reason?.why
}

export function unusedReasons(): string[] {
  return REASONS.map(({ where }) => where).filter((where) => !used.has(where))
}

/** Places where the Collector's effective configuration has a value that ours does not have, without a reason. */
export function differences(expected: unknown, found: unknown, place: readonly string[] = []): string[] {
  if (isEmpty(expected) && isEmpty(found)) return []
  const reason = VALUES.find(({ where, ofNull }) => matches(where.split('::'), place) && (!ofNull || isEmpty(expected)))
  if (reason !== undefined && !same(expected, found)) {
    used.add(reason.where)
    return []
  }
  if (isObject(expected) && isObject(found)) {
    return Object.keys(expected).flatMap((key) => differences(expected[key], found[key], [...place, key]))
  }
  return same(expected, found) ? [] : [`${place.join('::')}: ${JSON.stringify(expected)}, not ${JSON.stringify(found)}`]
}

/** Go prints a nil as null, an empty one or not at all. */
function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Words of the Collector's own types are printed with a capital. */
function same(expected: unknown, found: unknown): boolean {
  const lower = (value: unknown) => JSON.stringify(value)?.toLowerCase()
  return lower(expected) === lower(found)
}

function matches(pattern: readonly string[], place: readonly string[]): boolean {
  return pattern.length === place.length && pattern.every((part, index) => part === '*' || part === place[index])
}
