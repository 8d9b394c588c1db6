/**
 * The name that Prometheus' OTLP receiver gives a metric under its default, suffixes and underscores.
 * @see https://github.com/prometheus/otlptranslator metric_namer.go, units.go
 */
export function prometheusName(metric: {
  name: string
  unit: string
  type: 'sum' | 'gauge'
  monotonic: boolean
}): string {
  const tokens = metric.name.split(/[^a-zA-Z0-9]+/).filter(Boolean)
  const [main = '', per = ''] = metric.unit.split('/', 2)
  // An annotation in braces isn't a unit.
  const unit = main.includes('{') ? '' : (units[main] ?? main)
  if (per) throw new Error(`${metric.name}: units per something are not translated here`)
  if (unit && !tokens.includes(unit)) tokens.push(unit)
  if (metric.type === 'sum' && metric.monotonic)
    return [...tokens.filter((token) => token !== 'total'), 'total'].join('_')
  if (metric.type === 'gauge' && metric.unit === '1')
    return [...tokens.filter((token) => token !== 'ratio'), 'ratio'].join('_')
  return tokens.join('_')
}

const units: Readonly<Record<string, string>> = {
  s: 'seconds',
  ms: 'milliseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  '1': '',
  '%': 'percent',
}
