/** Things as small numbers above 0 that stand in keys; a number is free again when its last user went. */
export interface Numbers<T> {
  /** Pair each user with `retain` and `release`. */
  numberOf(name: string, thing: T): number
  /** Undefined for 0. */
  at(number: number): T | undefined
  retain(number: number): void
  release(number: number): void
  /** Distinguishes it from every other, whichever numbers they had; '' for 0. */
  nameOf(number: number): string
}

export function createNumbers<T>(): Numbers<T> {
  const numbers = new Map<string, number>()
  const all: (T | undefined)[] = [undefined]
  const names: string[] = ['']
  const users: number[] = [0]
  const free: number[] = []

  return {
    numberOf(name, thing) {
      const known = numbers.get(name)
      if (known !== undefined) return known
      const number = free.pop() ?? all.length
      all[number] = thing
      names[number] = name
      users[number] = 0
      numbers.set(name, number)
      return number
    },
    at: (number) => all[number],
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
