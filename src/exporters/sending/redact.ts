const REDACTED = '[REDACTED]'
/** Shorter ones are no secret, and would be found in any text. */
const MIN_LENGTH = 6

/**
 * Takes secrets out of a text that others wrote: a backend may repeat a request's headers in its error. Of an
 * authorization like `Bearer token`, the token alone is one too.
 */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const parts = secrets.flatMap((secret) => [secret, ...secret.split(/[\s,;=]+/)])
  const known = [...new Set(parts)].filter((part) => part.length >= MIN_LENGTH).sort((a, b) => b.length - a.length)
  return (text) => known.reduce((redacted, secret) => redacted.replaceAll(secret, REDACTED), text)
}
