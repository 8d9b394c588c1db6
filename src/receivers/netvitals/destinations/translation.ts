import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { createRecords, type Records, u64At } from '../kernel/decode.ts'
import { ConnLayout, Flag } from '../kernel/layout.gen.ts'
import { ConntrackAnswerLayout, type NativeConntrack, type NativeConntrackOptions } from '../kernel/native.ts'
import { createConntrackRequests } from './conntrack-requests.ts'
import type { TranslatedNamespaces } from './translated-namespaces.ts'

const { ENOENT, EPERM, EOPNOTSUPP } = constants.errno

/** Who answers a connection, 16 bytes in network byte order (IPv4 in the first 4) and a port. */
export interface Answered {
  readonly address: Uint8Array
  readonly port: number
}

/**
 * `same`: the one dialled. `untracked`: nobody tracks the connection, so nobody translates it, or not any more.
 * `unknown`: it could not be asked.
 */
export type Answer = Answered | 'same' | 'untracked' | 'unknown'

export interface Translation {
  /** Keeps the record, a new connection's first, until it is known who answers; and asks. */
  hold(records: Records): void
  /** Keeps another record of a connection that is held; false: it is not. */
  add(id: number, records: Records): boolean
  /** Resolves when nothing that is held now is held any more, which takes a second at most. */
  settled(): Promise<void>
  stats(): TranslationStats
  /** Gives back what is held, with the answer unknown. Twice is fine. */
  close(): void
}

export interface TranslationStats {
  /** Connections by what was found, since the start. `limited`: not asked, for the rate of lookups. */
  readonly outcomes: Readonly<Record<'translated' | 'same' | 'untracked' | 'error' | 'limited', number>>
  readonly held: number
}

export interface TranslationOptions {
  readonly createConntrack: (options: NativeConntrackOptions) => NativeConntrack
  readonly createNamespaces: (conntrack: NativeConntrack) => TranslatedNamespaces
  /** Most lookups a second. */
  readonly maxRate: number
  /** The records of a connection in the order in which they came; each is only valid during its call. */
  readonly onAnswer: (records: Records, answer: Answer) => void
  /** Path of the cgroup of a record's container: processes of it may be in its namespace. */
  readonly cgroupOf: (records: Records) => string
  readonly report: (status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

interface Held {
  readonly id: number
  readonly netns: number
  readonly cgroup: string
  /** Copies, each of a whole record. */
  readonly records: Uint8Array[]
  /** Tables that were asked. */
  asked: number
  readonly sinceMs: number
}

/** The thread answers within milliseconds; what it does not answer must not be held for ever. */
const GIVE_UP_MS = 1_000
/** Records of other connections are not held beyond these: they count as not asked. */
const HELD_MAX = 20_000
const OTHERS_PER_CONNECTION = 8

/**
 * Finds out who answers a connection whose destination may be translated (a Kubernetes Service, a published port):
 * connection tracking is asked by the client socket's own four-tuple, in its namespace and then in its node's. Until
 * the answer is there the connection's records are held back; they carry totals, so nothing is lost by that.
 */
export function createTranslation(options: TranslationOptions): Translation {
  const { maxRate, onAnswer, cgroupOf, report, now = () => performance.now() } = options
  const conntrack = options.createConntrack({ onAnswers, onError })
  const namespaces = options.createNamespaces(conntrack)
  const requests = createConntrackRequests(conntrack)
  const held = new Map<number, Held>()
  const byToken = new Map<number, Held>()
  const outcomes = { translated: 0, same: 0, untracked: 0, error: 0, limited: 0 }
  const scratch = createRecords(new Uint8Array(ConnLayout.size))
  const waiting: (() => void)[] = []
  let lastToken = 0
  let budget = maxRate
  let budgetMs = now()
  let flushing: NodeJS.Immediate | undefined
  let expiry: NodeJS.Timeout | undefined
  /** The errno that was told; 0: none. */
  let failing = 0
  let closed = false

  function spend(): boolean {
    const nowMs = now()
    budget = Math.min(maxRate, budget + ((nowMs - budgetMs) * maxRate) / 1000)
    budgetMs = nowMs
    if (budget < 1) return false
    budget--
    return true
  }

  function ask(connection: Held): void {
    const tables = namespaces.tables(connection.netns, connection.cgroup, () => ask(connection))
    if (tables === undefined || held.get(connection.id) !== connection) return
    const [first, second = 0] = tables.slice(connection.asked, connection.asked + 2)
    if (first === undefined) {
      answer(connection, 'untracked')
      return
    }
    connection.asked += 2
    lastToken = (lastToken + 1) >>> 0
    byToken.set(lastToken, connection)
    requests.push(lastToken, first, second, connection.records[0]!)
    flushing ??= setImmediate(flush)
  }

  function flush(): void {
    flushing = undefined
    requests.flush()
  }

  function onAnswers(buffer: Uint8Array, length: number): void {
    const view = new DataView(buffer.buffer, buffer.byteOffset, length)
    for (let at = 0; at < length; at += ConntrackAnswerLayout.size) {
      const token = view.getUint32(at + ConntrackAnswerLayout.token, true)
      const connection = byToken.get(token)
      byToken.delete(token)
      if (connection === undefined || held.get(connection.id) !== connection) continue
      const errno = view.getInt32(at + ConntrackAnswerLayout.errno, true)
      if (errno === ENOENT) ask(connection)
      else if (errno !== 0) fail(connection, errno)
      else {
        const address = at + ConntrackAnswerLayout.address
        answer(connection, {
          address: buffer.slice(address, address + 16),
          port: view.getUint16(at + ConntrackAnswerLayout.port, true),
        })
      }
    }
  }

  function onError({ message }: Error): void {
    failing = -1
    report('down', message)
  }

  function fail(connection: Held, errno: number): void {
    if (failing !== errno) report('down', reasonOf(errno))
    failing = errno
    // What was to be asked of them still is.
    requests.flush()
    namespaces.failed()
    outcomes.error++
    giveBack(connection, 'unknown')
  }

  function answer(connection: Held, found: Answered | 'untracked'): void {
    if (failing !== 0) report('ok')
    failing = 0
    const result = found !== 'untracked' && isDialled(connection.records[0]!, found) ? 'same' : found
    outcomes[typeof result === 'string' ? (result as 'same' | 'untracked') : 'translated']++
    // A SYN may be lost or held up on its way to the table, and a RST ends the tracking of an attempt with it: that says
    // nothing of the next one.
    const established = connection.records.some((record) => record[ConnLayout.flags]! & Flag.established)
    giveBack(connection, result === 'untracked' && !established ? 'unknown' : result)
  }

  function giveBack(connection: Held, result: Answer): void {
    held.delete(connection.id)
    for (const record of connection.records) {
      scratch.bytes.set(record)
      onAnswer(scratch, result)
    }
    if (held.size > 0) return
    for (const resolve of waiting.splice(0)) resolve()
  }

  function expire(): void {
    expiry = undefined
    const oldest = now() - GIVE_UP_MS
    for (const connection of held.values()) {
      if (connection.sinceMs > oldest) break
      outcomes.error++
      giveBack(connection, 'unknown')
    }
    for (const [token, connection] of byToken) if (!held.has(connection.id)) byToken.delete(token)
    watch()
  }

  function watch(): void {
    if (held.size > 0 && !closed) expiry ??= setTimeout(expire, GIVE_UP_MS / 2).unref()
  }

  return {
    hold(records) {
      const { bytes, offset } = records
      const record = bytes.slice(offset, offset + ConnLayout.size)
      scratch.bytes.set(record)
      if (closed || held.size >= HELD_MAX || !spend()) {
        outcomes.limited++
        onAnswer(scratch, 'unknown')
        return
      }
      const netns = scratch.u32[ConnLayout.netns >>> 2]!
      const connection = {
        id: idOf(scratch),
        netns,
        cgroup: cgroupOf(scratch),
        records: [record],
        asked: 0,
        sinceMs: now(),
      }
      held.set(connection.id, connection)
      watch()
      ask(connection)
    },
    add(id, { bytes, offset }) {
      const connection = held.get(id)
      if (connection === undefined) return false
      const record = bytes.slice(offset, offset + ConnLayout.size)
      // Records carry totals: the newest says what those between did.
      if (connection.records.length > OTHERS_PER_CONNECTION) connection.records[OTHERS_PER_CONNECTION] = record
      else connection.records.push(record)
      return true
    },
    settled: () => (held.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    stats: () => ({ outcomes: { ...outcomes }, held: held.size }),
    close() {
      if (closed) return
      closed = true
      clearTimeout(expiry)
      clearImmediate(flushing)
      for (const connection of [...held.values()]) giveBack(connection, 'unknown')
      namespaces.close()
      conntrack.close()
    },
  }
}

const idOf = ({ u32 }: Records) => u64At(u32, ConnLayout.id >>> 2)

function isDialled(record: Uint8Array, { address, port }: Answered): boolean {
  const view = new DataView(record.buffer, record.byteOffset)
  if (view.getUint16(ConnLayout.remotePort, true) !== port) return false
  for (let i = 0; i < 16; i++) if (record[ConnLayout.remote + i] !== address[i]) return false
  return true
}

function reasonOf(errno: number): string {
  const what = 'who answers a translated address is not known'
  if (errno === EPERM) return `${what}: asking connection tracking takes CAP_NET_ADMIN`
  if (errno === EOPNOTSUPP)
    return `${what}: the kernel module nf_conntrack_netlink is not loaded; load it, or set destinations::translation::enabled to false`
  return `${what}: connection tracking answered ${getSystemErrorName(-errno)}`
}
