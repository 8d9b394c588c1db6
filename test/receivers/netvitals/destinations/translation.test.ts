import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TranslatedNamespaces } from '../../../../src/receivers/netvitals/destinations/translated-namespaces.ts'
import { type Answer, createTranslation } from '../../../../src/receivers/netvitals/destinations/translation.ts'
import { createRecords } from '../../../../src/receivers/netvitals/kernel/decode.ts'
import { ConnLayout, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import {
  ConntrackAnswerLayout,
  ConntrackRequestLayout,
  type NativeConntrackOptions,
} from '../../../../src/receivers/netvitals/kernel/native.ts'
import { bytesOf, type Conn } from '../connections/rig.ts'

const { ENOENT, EPERM, EOPNOTSUPP } = constants.errno

interface Question {
  readonly token: number
  readonly tables: readonly number[]
  readonly sourcePort: number
}

/** Translation with connection tracking in the test's hands: it sees the questions and answers when it likes. */
function createRig({ maxRate = 1_000, tables = [1] as readonly number[] | null } = {}) {
  let nowMs = 1_000
  let current = tables
  const questions: Question[] = []
  const given: [number, number, Answer][] = []
  const reports: (string | undefined)[] = []
  let options!: NativeConntrackOptions
  let ready: (() => void) | undefined
  let failures = 0
  const namespaces: TranslatedNamespaces = {
    tables(_netns, _cgroup, whenReady) {
      ready = whenReady
      return current ?? undefined
    },
    failed: () => void failures++,
    close: () => {},
  }
  const translation = createTranslation({
    maxRate,
    now: () => nowMs,
    createConntrack(given) {
      options = given
      return {
        open: async () => 1,
        release: () => {},
        close: () => {},
        lookup(bytes, count) {
          const view = new DataView(bytes.buffer, bytes.byteOffset)
          for (let at = 0; at < count * ConntrackRequestLayout.size; at += ConntrackRequestLayout.size)
            questions.push({
              token: view.getUint32(at + ConntrackRequestLayout.token, true),
              tables: [
                view.getUint32(at + ConntrackRequestLayout.first, true),
                view.getUint32(at + ConntrackRequestLayout.second, true),
              ],
              sourcePort: view.getUint16(at + ConntrackRequestLayout.sourcePort, true),
            })
        },
      }
    },
    createNamespaces: () => namespaces,
    cgroupOf: () => '/docker/x',
    onAnswer: (records, answer) =>
      given.push([records.u32[ConnLayout.id >>> 2]!, records.u32[ConnLayout.kind >>> 2]!, answer]),
    report: (status, detail) => reports.push(status === 'ok' ? 'ok' : detail),
  })

  function answer(token: number, errno: number, address: readonly number[] = [10, 0, 0, 2], port = 443) {
    const bytes = new Uint8Array(ConntrackAnswerLayout.size)
    const view = new DataView(bytes.buffer)
    view.setUint32(ConntrackAnswerLayout.token, token, true)
    view.setInt32(ConntrackAnswerLayout.errno, errno, true)
    view.setUint16(ConntrackAnswerLayout.port, port, true)
    bytes.set(address, ConntrackAnswerLayout.address)
    options.onAnswers(bytes, bytes.length)
  }

  const records = (conn: Conn) => createRecords(bytesOf([conn]))
  return {
    translation,
    questions,
    given,
    reports,
    answer,
    hold: (conn: Conn) => translation.hold(records(conn)),
    add: (conn: Conn) => translation.add(Number(conn.id), records(conn)),
    becomesReady(handles: readonly number[]) {
      current = handles
      ready?.()
    },
    /** How often it was said that a table could not be asked. */
    failures: () => failures,
    onError: (error: Error) => options.onError(error),
    passes(ms: number) {
      nowMs += ms
    },
    /** The next turn of the event loop, in which questions are asked. */
    turn: () => new Promise<void>((resolve) => setImmediate(resolve)),
  }
}

const sample = (id: number, more: Partial<Conn> = {}): Conn => ({ kind: Kind.sample, id, ...more })

describe('a connection of which nobody knows who answers', () => {
  it('is held with all its records, and given back in their order with the answer', async () => {
    const rig = createRig()
    rig.hold(sample(1, { localPort: 41_000 }))
    assert.equal(rig.add({ kind: Kind.retrans, id: 1 }), true)
    assert.equal(rig.add({ kind: Kind.end, id: 1 }), true)
    assert.equal(rig.add({ kind: Kind.end, id: 2 }), false)
    await rig.turn()
    assert.deepEqual(
      rig.questions.map(({ tables, sourcePort }) => [tables, sourcePort]),
      [[[1, 0], 41_000]],
    )
    assert.equal(rig.given.length, 0)
    rig.answer(rig.questions[0]!.token, 0, [10, 9, 9, 9], 8080)
    assert.deepEqual(
      rig.given.map(([id, kind]) => [id, kind]),
      [
        [1, Kind.sample],
        [1, Kind.retrans],
        [1, Kind.end],
      ],
    )
    const answer = rig.given[0]![2]
    assert.ok(typeof answer === 'object')
    assert.deepEqual([[...answer.address.subarray(0, 4)], answer.port], [[10, 9, 9, 9], 8080])
    assert.deepEqual(rig.translation.stats(), {
      held: 0,
      outcomes: { translated: 1, same: 0, untracked: 0, error: 0, limited: 0 },
    })
  })

  it('is answered by itself when tracking says so, or knows nothing in any table', async () => {
    const rig = createRig({ tables: [1, 2, 3] })
    rig.hold(sample(1))
    rig.hold(sample(2))
    await rig.turn()
    rig.answer(rig.questions[0]!.token, 0)
    rig.answer(rig.questions[1]!.token, ENOENT)
    await rig.turn()
    assert.deepEqual(rig.questions[2]!.tables, [3, 0], 'the tables that are left')
    rig.answer(rig.questions[2]!.token, ENOENT)
    assert.deepEqual(rig.given.map(([id, , answer]) => [id, answer]).sort(), [
      [1, 'same'],
      [2, 'untracked'],
    ])
  })

  it('that failed and is not tracked any more says nothing of its destination', async () => {
    const rig = createRig()
    rig.hold({ kind: Kind.fail, id: 1, flags: 0 })
    await rig.turn()
    rig.answer(rig.questions[0]!.token, ENOENT)
    assert.equal(rig.given[0]![2], 'unknown')
  })

  it('says nothing of it either while its SYN is on its way, and does once it is established', async () => {
    const rig = createRig()
    rig.hold(sample(1, { flags: 0 }))
    rig.hold(sample(2, { flags: 0 }))
    rig.add({ kind: Kind.end, id: 2, flags: Flag.established })
    await rig.turn()
    for (const { token } of rig.questions) rig.answer(token, ENOENT)
    assert.deepEqual(
      rig.given.map(([id, , answer]) => [id, answer]),
      [
        [1, 'unknown'],
        [2, 'untracked'],
        [2, 'untracked'],
      ],
    )
  })

  it('waits for its namespace to be entered', async () => {
    const rig = createRig({ tables: null })
    rig.hold(sample(1))
    await rig.turn()
    assert.equal(rig.questions.length, 0)
    rig.becomesReady([7])
    await rig.turn()
    assert.deepEqual(rig.questions[0]!.tables, [7, 0])
  })

  it('keeps its newest record and a few others, however many come', async () => {
    const rig = createRig()
    rig.hold(sample(1))
    for (let i = 0; i < 1_000; i++) rig.add({ kind: Kind.retrans, id: 1 })
    rig.add({ kind: Kind.end, id: 1 })
    await rig.turn()
    rig.answer(rig.questions[0]!.token, 0)
    assert.ok(rig.given.length <= 10, `${rig.given.length} records`)
    assert.equal(rig.given.at(-1)![1], Kind.end)
  })
})

describe('trouble with connection tracking', () => {
  it('of one kind is reported once, with the remedy, and what is held is given back', async () => {
    for (const [errno, text] of [
      [EPERM, /CAP_NET_ADMIN/],
      [EOPNOTSUPP, /nf_conntrack_netlink is not loaded/],
    ] as const) {
      const rig = createRig()
      for (const id of [1, 2]) rig.hold(sample(id))
      await rig.turn()
      for (const { token } of [...rig.questions]) rig.answer(token, errno)
      assert.deepEqual(
        rig.given.map(([, , answer]) => answer),
        ['unknown', 'unknown'],
      )
      assert.equal(rig.reports.length, 1)
      assert.equal(rig.failures(), 2)
      assert.match(rig.reports[0]!, text)
      rig.hold(sample(3))
      await rig.turn()
      rig.answer(rig.questions[2]!.token, 0)
      assert.equal(rig.reports.at(-1), 'ok')
      assert.equal(rig.translation.stats().outcomes.error, 2)
    }
  })

  it('that is a bug of ours is told until the next good answer', async () => {
    const rig = createRig()
    rig.onError(new Error('of ours'))
    rig.hold(sample(1))
    await rig.turn()
    rig.answer(rig.questions[0]!.token, 0)
    assert.deepEqual(rig.reports, ['of ours', 'ok'])
  })

  it('that never answers holds nothing for longer than about a second, and a late answer changes nothing', async () => {
    const rig = createRig()
    rig.hold(sample(1))
    await rig.turn()
    const settled = rig.translation.settled()
    rig.passes(2_000)
    await settled
    assert.deepEqual(rig.given, [[1, Kind.sample, 'unknown']])
    rig.answer(rig.questions[0]!.token, 0)
    assert.equal(rig.given.length, 1)
    assert.equal(rig.translation.stats().outcomes.error, 1)
  })

  it('is not asked more often than the limit says: the rest counts as limited, at once', async () => {
    const rig = createRig({ maxRate: 10 })
    for (let id = 1; id <= 25; id++) rig.hold(sample(id))
    await rig.turn()
    assert.equal(rig.questions.length, 10)
    assert.equal(rig.translation.stats().outcomes.limited, 15)
    assert.equal(rig.given.length, 15)
    rig.passes(500)
    for (let id = 26; id <= 40; id++) rig.hold(sample(id))
    await rig.turn()
    assert.equal(rig.questions.length, 15, 'half a second buys half of it')
  })

  it('ends with what is held given back, and nothing is held from then on', async () => {
    const rig = createRig()
    rig.hold(sample(1))
    rig.translation.close()
    rig.translation.close()
    assert.deepEqual(rig.given, [[1, Kind.sample, 'unknown']])
    rig.hold(sample(2))
    assert.equal(rig.given.length, 2)
    await sleep(1)
    assert.equal(rig.translation.stats().held, 0)
  })
})
