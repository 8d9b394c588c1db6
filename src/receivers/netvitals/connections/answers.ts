import type { Answered } from '../destinations/translation.ts'
import { createNumbers, type Numbers } from './numbers.ts'

/** Who answers, as numbers. */
export interface Answers extends Omit<Numbers<Answered>, 'numberOf'> {
  numberOf(answered: Answered): number
}

export function createAnswers(): Answers {
  const { numberOf, ...numbers } = createNumbers<Answered>()
  return {
    ...numbers,
    numberOf: (answered) => numberOf(String.fromCharCode(answered.port, ...answered.address), answered),
  }
}
