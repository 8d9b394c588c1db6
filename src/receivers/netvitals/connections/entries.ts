import type { Destinations } from '../destinations/types.ts'
import { Conn, ConnWord, type Records } from '../kernel/decode.ts'
import { ConnLayout, Direction } from '../kernel/layout.gen.ts'
import { type Answers, createAnswers } from './answers.ts'
import { type Callers, createCallers } from './callers.ts'
import type { EntryEnds } from './entry-names.ts'
import { createKeyTable, type KeyTable } from './key-table.ts'

/**
 * A key: cgroup id (2 words), netns, what the record is about (`packed`), address (4), the other end: who answers
 * (`answers`; 0: the address itself, as far as is known), or who calls (`callers`); where wanted the client's address (4).
 */
const WORDS = 9
const WORDS_WITH_CLIENT = 13
const NETNS = 2
const PACKED = 3
const ADDRESS = 4
const OTHER_END = 8
const CLIENT = 9
/** Bits of `packed`, above the port's 16. */
const DIRECTION = 16
const FAMILY = 20

/** Links' keys as the kernel has them, each with a number. */
export interface Entries {
  readonly table: KeyTable
  readonly answers: Answers
  readonly callers: Callers
  /** The key that the table finds and enters is the record's: answered by whom it dialled, as far as is known. */
  setKey(records: Records): void
  setAnswer(number: number): void
  cgroupOf(entry: number): bigint
  netnsOf(entry: number): number
  familyOf(entry: number): 4 | 6
  directionOf(entry: number): number
  portOf(entry: number): number
  /** 16 bytes in network byte order, IPv4 in the first 4: of what is dialled, or of what is listened at. */
  addressOf(entry: number): Uint8Array
  /** The same of who calls, where that is in the key. */
  clientOf(entry: number): Uint8Array | undefined
  /** Number of who answers, or of who calls, with `othersOf`. */
  otherEndOf(entry: number): number
  othersOf(entry: number): Omit<Answers | Callers, 'numberOf'>
  /** Of an outbound entry, valid until it is asked again; undefined for others. */
  endsOf(entry: number): EntryEnds | undefined
  /** Of the entry without cgroup, namespace and other end: the same for nested cgroups of a container. */
  nameOf(entry: number): string
  /** The same for all ports of one address, of one cgroup and direction. */
  groupOf(entry: number): string
  /** Entries of these cgroups. */
  eachOf(cgroups: ReadonlySet<bigint>, take: (entry: number) => void): void
}

/** `clientAddress`: peers of inbound connections are told apart by their addresses. */
export function createEntries(destinations: Destinations, clientAddress: boolean): Entries {
  const wordsPerKey = clientAddress ? WORDS_WITH_CLIENT : WORDS
  const table = createKeyTable(wordsPerKey)
  const { key, word } = table
  const answers = createAnswers()
  const callers = createCallers(destinations)
  const ends: { -readonly [K in keyof EntryEnds]: EntryEnds[K] } = {
    bytes: new Uint8Array(16),
    family: 4,
    port: 0,
    answered: undefined,
  }
  const endWords = new Uint32Array(ends.bytes.buffer)

  const cgroupOf = (entry: number) => (BigInt(word(entry, 1)) << 32n) | BigInt(word(entry, 0))
  const familyOf = (entry: number) => ((word(entry, PACKED) >>> FAMILY) & 0xf) as 4 | 6
  const directionOf = (entry: number) => (word(entry, PACKED) >>> DIRECTION) & 0xf
  const portOf = (entry: number) => word(entry, PACKED) & 0xffff
  const otherEndOf = (entry: number) => word(entry, OTHER_END)

  function wordsOf(entry: number, first: number, count: number): Uint32Array<ArrayBuffer> {
    const words = new Uint32Array(count)
    for (let i = 0; i < count; i++) words[i] = word(entry, first + i)
    return words
  }

  return {
    table,
    answers,
    callers,
    setKey(r) {
      const { u32, offset } = r
      const record = offset >>> 2
      const direction = Conn.direction(r)
      const family = Conn.family(r)
      const outbound = direction === Direction.outbound
      const inbound = direction === Direction.inbound
      const address = record + (outbound ? ConnWord.remote : ConnWord.local)
      key[0] = u32[record + ConnWord.cgroupId]!
      key[1] = u32[record + ConnWord.cgroupId + 1]!
      key[NETNS] = u32[record + ConnWord.netns]!
      const port = outbound ? Conn.remotePort(r) : Conn.localPort(r)
      key[PACKED] = port | (direction << DIRECTION) | (family << FAMILY)
      for (let i = 0; i < 4; i++) key[ADDRESS + i] = u32[address + i]!
      key[OTHER_END] = inbound ? callers.numberOf(r, offset + ConnLayout.remote, family) : 0
      if (!clientAddress) return
      for (let i = 0; i < 4; i++) key[CLIENT + i] = inbound ? u32[record + ConnWord.remote + i]! : 0
    },
    setAnswer(number) {
      key[OTHER_END] = number
    },
    cgroupOf,
    netnsOf: (entry) => word(entry, NETNS),
    familyOf,
    directionOf,
    portOf,
    addressOf: (entry) => new Uint8Array(wordsOf(entry, ADDRESS, 4).buffer),
    clientOf: (entry) => (clientAddress ? new Uint8Array(wordsOf(entry, CLIENT, 4).buffer) : undefined),
    otherEndOf,
    othersOf: (entry) => (directionOf(entry) === Direction.outbound ? answers : callers),
    endsOf(entry) {
      if (directionOf(entry) !== Direction.outbound) return undefined
      for (let i = 0; i < 4; i++) endWords[i] = word(entry, ADDRESS + i)
      ends.family = familyOf(entry)
      ends.port = portOf(entry)
      ends.answered = answers.at(otherEndOf(entry))
      return ends
    },
    nameOf(entry) {
      const words = wordsOf(entry, PACKED, wordsPerKey - PACKED)
      // Numbers are used again.
      words[OTHER_END - PACKED] = 0
      return String.fromCharCode(...new Uint16Array(words.buffer))
    },
    groupOf(entry) {
      const words = [...wordsOf(entry, 0, 2), directionOf(entry), ...wordsOf(entry, ADDRESS, 4)]
      return String.fromCharCode(...new Uint16Array(Uint32Array.from(words).buffer))
    },
    eachOf(cgroups, take) {
      // Most belong to others, which half an id tells without making a bigint.
      const halves = new Set([...cgroups].map((id) => Number(id & 0xffff_ffffn)))
      table.each((entry) => {
        if (halves.has(word(entry, 0)) && cgroups.has(cgroupOf(entry))) take(entry)
      })
    },
  }
}
