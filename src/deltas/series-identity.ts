import { hash } from 'node:crypto'
import type { Attributes } from '@opentelemetry/api'

const IDENTITY_BYTES = 16

/**
 * Tells attribute sets apart by what they say: 128 bits of a hash, computed once per object. The store hands out the
 * same frozen objects every cycle, so that is once for a series' life; a processor may make new ones each time.
 */
export function createAttributesIdentity() {
  const known = new WeakMap<Attributes, string>()

  return function identityOf(attributes: Attributes): string {
    const found = known.get(attributes)
    if (found !== undefined) return found
    const entries = Object.keys(attributes)
      .sort()
      .map((key) => [key, attributes[key]])
    const identity = hash('sha256', JSON.stringify(entries), 'buffer').toString('latin1', 0, IDENTITY_BYTES)
    known.set(attributes, identity)
    return identity
  }
}
