/** Numbers as a person reads them: two or three figures, at most seven columns, units by powers of 1000. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P']

/** `0`, `0.2`, `12`, `123`, `1.2k`, `12k`, `3.4M`. */
export function formatCount(value: number): string {
  const [scaled, prefix] = scale(value)
  return figures(scaled) + prefix
}

/** `0 B/s`, `812 B/s`, `3.4 MB/s`. */
export function formatBytesPerSecond(value: number): string {
  const [scaled, prefix] = scale(value < 1 ? 0 : value)
  return `${prefix === '' ? String(Math.round(scaled)) : figures(scaled)} ${prefix}B/s`
}

/** `0.02 ms`, `0.21 ms`, `4.5 ms`, `51 ms`, `1.2 s`. */
export function formatSeconds(seconds: number): string {
  const ms = seconds * 1000
  if (ms < 0.995) return `${ms.toFixed(2)} ms`
  if (ms < 999.5) return `${figures(ms)} ms`
  return `${figures(seconds)} s`
}

/** `0%`, `0.04%`, `3.1%`, `38%`; what is not nothing is never shown as 0. */
export function formatRatio(ratio: number): string {
  const percent = ratio * 100
  if (percent === 0) return '0%'
  if (percent < 0.01) return '<.01%'
  if (percent < 0.995) return `${percent.toFixed(2).replace(/0$/, '')}%`
  return `${figures(percent)}%`
}

/** Since 9.95 and 999.5 are read as 10 and 1000, they are scaled so too. */
function scale(value: number): [number, string] {
  let scaled = value
  let power = 0
  while (scaled >= 999.5 && power < PREFIXES.length - 1) {
    scaled /= 1000
    power++
  }
  return [scaled, PREFIXES[power]!]
}

function figures(value: number): string {
  if (value === 0) return '0'
  if (value < 0.05) return '<0.1'
  return value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : String(Math.round(value))
}
