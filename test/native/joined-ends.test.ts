import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import type { Socket } from 'node:net'
import { release } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { findCgroupMount } from '../../src/receivers/netvitals/containers/cgroupfs.ts'
import {
  Cgroup,
  Conn,
  createRecords,
  Ends,
  eachEnd,
  eachRecord,
  type Records,
} from '../../src/receivers/netvitals/kernel/decode.ts'
import { ConnLayout, Direction, Flag, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { ringId } from '../bench/processes.ts'
import { bytesOf, type Conn as Told } from '../receivers/netvitals/connections/rig.ts'
import { build, buildObject, repository } from './programs.ts'
import { nameOf, options, orderFaults, summary, unavailable, watch } from './tracing.ts'
import { createEcho, eventually } from './traffic.ts'

/** Network namespaces that no host has beside the test. */
const NETNS = 4
const OTHER_NETNS = 5

interface Joined {
  readonly kind: number
  /** As they were told, in their order. */
  readonly parts: readonly string[]
  readonly sums: Readonly<Record<'connectNs' | 'bytesSent' | 'bytesReceived', bigint>> &
    Readonly<Record<'segmentsSent' | 'retransData' | 'retransHandshake' | 'srttUs' | 'withSrtt', number>>
}

const hexOf = ({ bytes, offset }: Records) =>
  Buffer.from(bytes.subarray(offset, offset + ConnLayout.size)).toString('hex')

/** A tracer that joins, into whose ring the test puts records, and what it told of them, batch by batch. */
function createScene(t: TestContext) {
  const batches: (string | Joined)[][] = []
  const cgroups: string[] = []
  const { Tracer } = loadAddon()
  const onRecords = (buffer: Uint8Array, length: number) => {
    const batch: (string | Joined)[] = []
    const count = eachRecord(createRecords(buffer), length, (r, kind) => {
      if (kind === Kind.cgroupMkdir) cgroups.push(Cgroup.path(r))
      if (kind >= Kind.cgroupMkdir || ![NETNS, OTHER_NETNS].includes(Conn.netns(r))) return
      batch.push(kind === Kind.ends ? read(r) : hexOf(r))
    })
    assert.ok(count >= flat([batch]).length)
    batches.push(batch)
  }
  const tracer = new Tracer(
    options({
      joinEnds: true,
      onRecords,
      onError: (error) => {
        throw error
      },
    }),
  )
  t.after(() => tracer.close())
  const program = build('inject', 'inject', [`-I${repository}`, '-lbpf', '-lelf', '-lz'])
  const command = [program, buildObject('inject'), ringId(process.pid)] as const

  /** Into the ring, where they are found when something else wakes the reader, or in a while. */
  async function put(records: readonly Told[]): Promise<void> {
    const injecting = spawn(command[0], command.slice(1), { stdio: ['pipe', 'inherit', 'inherit'] })
    injecting.stdin.end(bytesOf(records))
    const [code] = await once(injecting, 'exit')
    assert.equal(code, 0)
  }

  return {
    cgroups,
    tracer,
    batches,
    put,
    async tell(records: readonly Told[]): Promise<(string | Joined)[][]> {
      await tracer.flush()
      batches.length = 0
      await put(records)
      await tracer.flush()
      return batches.filter((batch) => batch.length > 0)
    },
  }
}

function read(r: Records): Joined {
  const view = new DataView(r.bytes.buffer, r.bytes.byteOffset + r.offset, ConnLayout.size)
  const parts: string[] = []
  eachEnd(r, (each, kind) => {
    assert.equal(each.u32[each.offset >>> 2], kind)
    parts.push(hexOf(each))
  })
  assert.equal(parts.length, Ends.count(r))
  return {
    kind: Ends.kind(r),
    parts,
    sums: {
      connectNs: view.getBigUint64(ConnLayout.connectNs, true),
      bytesSent: view.getBigUint64(ConnLayout.bytesSent, true),
      bytesReceived: view.getBigUint64(ConnLayout.bytesReceived, true),
      segmentsSent: view.getUint32(ConnLayout.segmentsSent, true),
      retransData: view.getUint32(ConnLayout.retransData, true),
      retransHandshake: view.getUint32(ConnLayout.retransHandshake, true),
      srttUs: Ends.srttUs(r),
      withSrtt: Ends.withSrtt(r),
    },
  }
}

const many = <T>(count: number, of: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => of(n))

const flat = (batches: readonly (readonly (string | Joined)[])[]) =>
  batches.flat().flatMap((each) => (typeof each === 'string' ? [each] : each.parts))

const hex = (record: Told) => Buffer.from(bytesOf([record])).toString('hex')

function sumsOf(parts: readonly Told[]): Joined['sums'] {
  const sum = (of: (part: Told) => number | undefined) => parts.reduce((total, part) => total + (of(part) ?? 0), 0)
  return {
    connectNs: BigInt(sum((part) => part.connectNs)),
    bytesSent: BigInt(sum((part) => part.bytesSent)),
    bytesReceived: BigInt(sum((part) => part.bytesReceived)),
    segmentsSent: sum((part) => part.segmentsSent),
    retransData: sum((part) => part.retransData),
    retransHandshake: sum((part) => part.retransHandshake),
    srttUs: sum((part) => part.srttUs),
    withSrtt: parts.filter(({ srttUs = 0 }) => srttUs > 0).length,
  }
}

/** All that makes the link of an end, and what becomes of it. */
function keyOf({ localPort, remotePort, ...of }: Told): string {
  const { kind, netns, cgroup, direction, family, flags, error, state, local, remote } = of
  const port = direction === Direction.outbound ? remotePort : localPort
  return [kind, netns, cgroup, direction, family, flags, error, state, port, local, remote].join(' ')
}

const isEnd = ({ kind }: Told) => kind === Kind.end || kind === Kind.fail

const cpu = 2 ** 40
const depth = 2 ** 38
let round = 0

/** What differs between links, each of two values. */
const choices = {
  netns: [NETNS, OTHER_NETNS],
  cgroup: [1n, 2n ** 32n + 1n],
  direction: [Direction.outbound, Direction.inbound],
  family: [4, 6],
  localPort: [443, 40_001],
  remotePort: [443, 40_001],
  local: [
    [10, 0, 0, 1],
    [10, 0, 0, 3],
  ],
  remote: [
    [10, 0, 0, 2],
    [10, 0, 0, 4],
  ],
} as const

/** A link and two others that differ from it in one thing each. */
const links = fc
  .tuple(fc.array(fc.nat(1), { minLength: 8, maxLength: 8 }), fc.nat(7), fc.nat(7))
  .map(([which, ...changed]) => {
    const fields = Object.entries(choices)
    const linkOf = (change: number) =>
      Object.fromEntries(fields.map(([name, of], i) => [name, of[which[i]! ^ Number(i === change)]])) as Partial<Told>
    return [-1, ...changed].map(linkOf)
  })

const numbers = fc.record({
  connectNs: fc.nat(1e9),
  bytesSent: fc.oneof(fc.nat(9), fc.nat(2 ** 31 - 1)),
  bytesReceived: fc.nat(1000),
  segmentsSent: fc.oneof({ weight: 9, arbitrary: fc.nat(9) }, { weight: 1, arbitrary: fc.constant(2 ** 32 - 5) }),
  retransData: fc.oneof({ weight: 9, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.constant(2 ** 32 - 1) }),
  retransHandshake: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(2 ** 31) }),
  srttUs: fc.constantFrom(0, 250, 2 ** 32 - 1),
})

/** What becomes of a connection: few of them are seen before their end. */
const fate = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      { kind: Kind.end, flags: Flag.established },
      { kind: Kind.end, flags: Flag.established | Flag.broken, error: 104 },
      { kind: Kind.fail, flags: 0, error: 111 },
      { kind: Kind.fail, flags: 0, error: 110 },
      { kind: Kind.fail, flags: 0, error: 110, state: 2 },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { kind: Kind.end, flags: Flag.established | Flag.existing },
      { kind: Kind.end, flags: 0, direction: Direction.listener },
      { kind: Kind.sample, flags: Flag.established },
      { kind: Kind.retrans, flags: 0 },
      { kind: Kind.synack, flags: 0, direction: Direction.inbound },
    ),
  },
)

/**
 * In the order in which they are told. Of each CPU and depth they began in the order of their numbers, and end in nearly
 * the same; those that were seen before end too.
 */
const history: fc.Arbitrary<Told[]> = fc
  .array(fc.tuple(fc.nat(2), fc.constantFrom(0, depth, 8191 * cpu + 3 * depth), fate, numbers, fc.nat(12)), {
    minLength: 30,
    maxLength: 120,
  })
  .chain((drawn) => fc.tuple(fc.constant(drawn), links))
  .map(([drawn, between]) => {
    const first = ++round * 1000
    const records = drawn.flatMap(([which, source, what, counts, later], index) => {
      const record: Told = { ...between[which]!, ...counts, ...what, id: source + first + index }
      const told = { at: index, record }
      if (isEnd(record)) return [{ ...told, at: index + later / 2 }]
      return [told, { at: index + later + 1, record: { ...record, kind: Kind.end } }]
    })
    return records.sort((a, b) => a.at - b.at).map(({ record }) => record)
  })

/** Programs that a test runs as it likes are of kernel 5.14, and loops in them of 5.17. */
const isOldKernel = release().localeCompare('5.17', 'en', { numeric: true }) < 0
const injecting = { skip: isOldKernel && 'needs a kernel of 5.17 or newer' }
const openFiles = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])

describe('ends that are joined', { skip: unavailable }, () => {
  it('are those of which nothing was told before, and nothing of any of them is lost', injecting, async (t) => {
    const scene = createScene(t)
    let joinedCount = 0
    await fc.assert(
      fc.asyncProperty(history, async (records) => {
        const batches = await scene.tell(records)
        const byHex = new Map(records.map((record) => [hex(record), record]))
        const told = flat(batches)
        assert.deepEqual([...told].sort(), records.map(hex).sort())
        // What is not joined keeps its order, and so do those that are joined with each other.
        const place = new Map(records.map((record, index) => [hex(record), index]))
        const isInOrder = (list: readonly string[]) =>
          list.every((each, index) => index === 0 || place.get(list[index - 1]!)! < place.get(each)!)
        for (const batch of batches) {
          assert.ok(isInOrder(batch.filter((each) => typeof each === 'string')))
          for (const each of batch) {
            if (typeof each === 'string') continue
            joinedCount++
            const parts = each.parts.map((part) => byHex.get(part)!)
            assert.ok(parts.length > 1)
            assert.ok(isInOrder(each.parts))
            assert.deepEqual(new Set(parts.map(keyOf)).size, 1)
            assert.ok(parts.every(({ kind }) => kind === each.kind))
            assert.ok(
              parts.every(({ direction, flags }) => direction !== Direction.listener && !(flags! & Flag.existing)),
            )
            assert.deepEqual(each.sums, sumsOf(parts))
            for (const part of parts) {
              const before = records.slice(0, records.indexOf(part))
              assert.ok(
                !before.some((other) => other.id === part.id),
                `${nameOf(part.kind)} ${part.id} was told before`,
              )
            }
          }
        }
      }),
      { numRuns: 150 },
    )
    assert.ok(joinedCount > 500, `${joinedCount} joined`)
  })

  const end = (id: number, more: Partial<Told> = {}): Told => ({
    ...{ kind: Kind.end, id, netns: NETNS, bytesSent: 10, segmentsSent: 1, srttUs: 100, connectNs: 1000 },
    ...{ localPort: 40_000 + (id % 1000), ...more },
  })

  /** The host's own records may cut a batch in two: again, then. */
  async function inOneBatch(t: TestContext, records: readonly Told[]): Promise<(string | Joined)[]> {
    for (let tries = 0; tries < 10; tries++) {
      const scene = createScene(t)
      const batches = await scene.tell(records)
      scene.tracer.close()
      if (batches.length === 1) return batches[0]!
    }
    throw new Error('they never came in one batch')
  }
  const counts = (batch: readonly (string | Joined)[]) =>
    batch.map((each) => (typeof each === 'string' ? 1 : each.parts.length))

  it('are one record where they differ by numbers and the client’s port alone', injecting, async (t) => {
    const records = many(1000, (n) => end(n + 1, { bytesReceived: n, flags: Flag.established }))
    const batch = await inOneBatch(t, records)
    assert.equal(batch.length, 1)
    const joined = batch[0] as Joined
    assert.deepEqual(joined.parts, records.map(hex))
    assert.deepEqual(joined.sums, sumsOf(records))
  })

  it('stand alone where their sum would not fit, and where they are told again', injecting, async (t) => {
    const most = 2 ** 32 - 1
    const batch = await inOneBatch(t, [
      end(1, { segmentsSent: most }),
      end(2, { segmentsSent: 1 }),
      end(3, { segmentsSent: most - 1 }),
      { ...end(9), kind: Kind.sample },
      end(8),
      end(10, { remotePort: 80 }),
      end(11, { remotePort: 80 }),
      end(9),
    ])
    // 1; 2 with 3 and no more; the walk's; 8, lower than what it showed; 10 with 11, which are above; 9 itself.
    assert.deepEqual(counts(batch), [1, 2, 1, 1, 2, 1])
  })

  it('are not joined across a listener that begins or ends', injecting, async (t) => {
    const listener = end(5, { direction: Direction.listener, flags: 0 })
    assert.deepEqual(counts(await inOneBatch(t, [end(6), end(7), listener, end(8), end(9)])), [2, 1, 2])
  })

  it('leave whole what else is in their buffer, and are left whole by it', injecting, async (t) => {
    if (openFiles < 6000) return t.skip(`needs 6,000 open files, may have ${openFiles}`)
    const scene = createScene(t)
    // Enough sockets for the ring to be read twice in the midst of a walk.
    const echo = await createEcho(t)
    const sockets: Socket[] = []
    // As many at once as a listener has room for.
    while (sockets.length < 2500) sockets.push(...(await Promise.all(many(100, () => echo.hold()))))
    t.after(() => {
      for (const socket of sockets) socket.destroy()
    })
    await eventually(async () => (await scene.tracer.sample()) >= 5000)
    const { root } = findCgroupMount()
    const name = `netvitals-${process.pid}-joined`
    // Of several lengths: they end here and there in a buffer.
    const parts = many(10, (n) => 3000 + 300 * n)
    const records = many(
      parts.reduce((sum, count) => sum + count, 0),
      (n) => end(n + 1, { remote: [10, 0, 0, n % 3] }),
    )
    let put = 0
    for (const [part, count] of parts.entries()) {
      const walks = many(30, () => scene.tracer.sample())
      const putting = scene.put(records.slice(put, put + count))
      put += count
      for (let each = 0; each < 5; each++) {
        mkdirSync(join(root, `${name}-${part}-${each}`))
        rmdirSync(join(root, `${name}-${part}-${each}`))
        await sleep(1)
      }
      for (const shown of await Promise.all(walks)) assert.ok(shown >= 5000, `${shown} sockets`)
      await putting
    }
    await scene.tracer.flush()
    assert.deepEqual(flat(scene.batches).sort(), records.map(hex).sort())
    const seen = scene.cgroups.filter((path) => path.includes(name))
    assert.deepEqual(
      seen.map((path) => path.slice(path.indexOf(name))),
      many(50, (n) => `${name}-${Math.floor(n / 5)}-${n % 5}`),
    )
  })

  it('arrive whole when they fill many buffers, few of one kind or many', injecting, async (t) => {
    for (const destinations of [1, 100, 3000, 30_000]) {
      const scene = createScene(t)
      const records = many(30_000, (n) => {
        const to = n % destinations
        return end(n + 1, { remote: [10, to >> 16, (to >> 8) & 255, to & 255] })
      })
      const batches = await scene.tell(records)
      assert.ok(batches.length > 5, `${batches.length} batches`)
      assert.deepEqual(flat(batches).sort(), records.map(hex).sort())
      const joined = batches.flat().filter((each) => typeof each !== 'string')
      const parts = joined.reduce((sum, each) => sum + each.parts.length, 0)
      if (destinations <= 100) assert.equal(parts, records.length)
      if (destinations === 30_000) assert.equal(parts, 0)
      scene.tracer.close()
    }
  })

  it('come in order with what was told of a connection before, while the walk runs all the time', async (t) => {
    const watched = watch(t, { joinEnds: true })
    const { tracer, of } = watched
    const echo = await createEcho(t)
    const SIZE = 500
    let walking = true
    const walker = (async () => {
      while (walking) {
        await tracer.sample()
        // Those that it showed are a part of those that end.
        const { sent } = echo
        while (walking && echo.sent < sent + 300 * SIZE) await sleep(1)
      }
    })()
    await echo.churn(6000, SIZE, 32)
    walking = false
    await walker
    await eventually(async () => {
      await tracer.flush()
      const { ended, acceptedEnded } = summary(of(echo.port))
      return ended >= 6000 && acceptedEnded >= 6000
    })
    const records = of(echo.port)
    assert.deepEqual(summary(records), { failed: 0, ended: 6000, acceptedEnded: 6000 })
    assert.deepEqual(orderFaults(records), [])
    const before = new Set<number>()
    const faults: string[] = []
    for (const each of records) {
      if (each.joined && before.has(each.id)) faults.push(`${each.id} was told before`)
      before.add(each.id)
    }
    assert.deepEqual(faults, [])
    const joined = records.filter((each) => each.joined)
    assert.ok(joined.length > 1000, `${joined.length} joined`)
    const sampled = records.filter((each) => each.kind === Kind.sample)
    assert.ok(sampled.length > 100, `the walks met ${sampled.length}`)
    const sent = records.filter((each) => each.kind === Kind.end && each.direction === Direction.outbound)
    assert.equal(
      sent.reduce((sum, each) => sum + each.bytesSent, 0),
      echo.sent,
    )
  })
})
