import type { Answered } from '../destinations/translation.ts'

/** Who answers, as small numbers above 0 that stand in keys; a number is free again when its last user went. */
export interface Answers {
  /** Pair each user with `retain` and `release`. */
  numberOf(answered: Answered): number
  at(number: number): Answered
  retain(number: number): void
  release(number: number): void
  /** Distinguishes it from every other, whichever numbers they had. */
  nameOf(number: number): string
}

export function createAnswers(): Answers {
  const numbers = new Map<string, number>()
  const all: (Answered | undefined)[] = [undefined]
  const names: string[] = ['']
  const users: number[] = [0]
  const free: number[] = []

  return {
    numberOf(answered) {
      const name = String.fromCharCode(answered.port, ...answered.address)
      const known = numbers.get(name)
      if (known !== undefined) return known
      const number = free.pop() ?? all.length
      all[number] = answered
      names[number] = name
      users[number] = 0
      numbers.set(name, number)
      return number
    },
    at: (number) => all[number]!,
    retain(number) {
      if (number > 0) users[number]!++
    },
    release(number) {
      if (number === 0 || --users[number]! > 0) return
      numbers.delete(names[number]!)
      all[number] = undefined
      free.push(number)
    },
    nameOf: (number) => names[number]!,
  }
}
