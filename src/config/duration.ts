const UNIT_MS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

export type DurationResult = { readonly ms: number } | { readonly error: string }

/**
 * Go's time.ParseDuration: `1m30s`, `200ms`, `-1.5h`, `0`. Milliseconds, fractions included.
 * Errors are worded as Go's are, without the value (as the Collector's decoder prints them).
 */
export function parseDuration(text: string): DurationResult {
  const body = text.replace(/^[-+]/, '')
  if (body === '0') return { ms: 0 }
  if (body === '') return { error: 'time: invalid duration' }
  let ms = 0
  let rest = body
  while (rest !== '') {
    const number = /^(\d+\.?\d*|\.\d+)/.exec(rest)?.[0]
    if (number === undefined) return { error: 'time: invalid duration' }
    rest = rest.slice(number.length)
    const unit = /^[^\d.]*/.exec(rest)?.[0] ?? ''
    if (unit === '') return { error: 'time: missing unit in duration' }
    const scale = UNIT_MS[unit]
    if (scale === undefined) return { error: 'time: unknown unit' }
    ms += Number(number) * scale
    rest = rest.slice(unit.length)
  }
  return { ms: text.startsWith('-') ? -ms : ms }
}

/** As Go prints a duration: `1h30m0s`, `1.5s`, `200ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  const sign = ms < 0 ? '-' : ''
  const size = Math.abs(ms)
  const trim = (value: number): string => String(Number(value.toFixed(9)))
  if (size < 1e-3) return `${sign}${Math.round(size * 1e6)}ns`
  if (size < 1) return `${sign}${trim(size * 1e3)}µs`
  if (size < 1000) return `${sign}${trim(size)}ms`
  const hours = Math.floor(size / 3_600_000)
  const minutes = Math.floor((size % 3_600_000) / 60_000)
  const seconds = trim((size % 60_000) / 1000)
  const head = hours > 0 ? `${hours}h${minutes}m` : minutes > 0 ? `${minutes}m` : ''
  return `${sign}${head}${seconds}s`
}
