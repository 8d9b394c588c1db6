/**
 * Milliseconds that a Retry-After asks to wait: of whole seconds or a date; undefined when it says neither.
 * @see RFC 9110 section 10.2.3
 */
export function parseRetryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^[+-]?\d+$/.test(text)) return Math.max(0, Number(text) * 1000)
  // A date in HTTP begins with the day's name; Date.parse takes much that is none.
  if (!/^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .* \d\d:\d\d:\d\d/i.test(text)) return undefined
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}
