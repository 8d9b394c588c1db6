import { oneOf } from '../../config/fields.ts'

/** How sums are told. lowmemory, the specification's third word, differs from delta only for what netvitals has not. */
export function temporalityField() {
  return oneOf(['cumulative', 'delta'], {
    ignoreCase: true,
    message: (found) => `invalid temporality_preference: "${found}"`,
  })
    .prefault('cumulative')
    .describe('Sums since the start of their series (cumulative), or since the last one delivered (delta).')
}

export type TemporalityPreference = 'cumulative' | 'delta'
