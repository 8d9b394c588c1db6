import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { ConnLayout, Direction, Kind } from '../../src/receivers/netvitals/kernel/layout.gen.ts'
import { type Seen, unavailable, type Watch, watch } from './tracing.ts'
import { createEcho, type Echo, eventually } from './traffic.ts'

const BPFTOOL = ['/usr/sbin/bpftool', '/sbin/bpftool', '/usr/bin/bpftool'].find(existsSync)
const skip = unavailable || (BPFTOOL === undefined && 'needs the program bpftool')
const SIZE = 10_000

/** One connection as the kernel side has it: by the address of its socket. */
interface Entry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const bpftool = (...words: string[]) => execFileSync(BPFTOOL!, words, { encoding: 'utf8', maxBuffer: 64 << 20 })
const hex = (bytes: Uint8Array) => [...bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`)

/** Of this process' tracer. */
function connectionsMap(): string {
  const ids = readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    try {
      return /^map_id:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? []
    } catch {
      return []
    }
  })
  const id = ids.find((each) => JSON.parse(bpftool('-j', 'map', 'show', 'id', each)).name === 'conns')
  assert.ok(id !== undefined, 'a map called conns')
  return id
}

function entryOf(map: string, id: number): Entry | undefined {
  const entries: { key: string[]; value: string[] }[] = JSON.parse(bpftool('-j', 'map', 'dump', 'id', map))
  const bytes = (words: readonly string[]) => Uint8Array.from(words, Number)
  return entries
    .map(({ key, value }) => ({ key: bytes(key), value: bytes(value) }))
    .find(({ value }) => Number(new DataView(value.buffer).getBigUint64(ConnLayout.id, true)) === id)
}

function put(map: string, { key, value }: Entry, how: 'exist' | 'noexist'): void {
  bpftool('map', 'update', 'id', map, 'key', ...hex(key), 'value', ...hex(value), how)
}

/** The same entry for a connection from another port: what is left of one whose end no program saw. */
function ofAnother({ key, value }: Entry): Entry {
  const changed = value.slice()
  const view = new DataView(changed.buffer)
  view.setUint16(ConnLayout.localPort, view.getUint16(ConnLayout.localPort, true) ^ 1, true)
  return { key, value: changed }
}

async function scene(t: TestContext) {
  const watched = watch(t)
  const echo = await createEcho(t)
  const map = connectionsMap()
  return { watched, echo, map, ...(await connect(watched, echo, map)) }
}

/** A connection that has sent SIZE bytes, and its entry. */
async function connect(watched: Watch, echo: Echo, map: string) {
  const socket = await echo.hold()
  socket.resume()
  socket.write(Buffer.alloc(SIZE))
  const { localPort } = socket
  const sent = (each: Seen) =>
    each.direction === Direction.outbound && each.localPort === localPort && each.bytesSent === SIZE
  let seen: Seen | undefined
  await eventually(async () => {
    seen = (await walk(watched, echo.port)).find(sent)
    // With something unread it would end by a RST, without the FIN that an end which nobody saw is taken to have had.
    return seen !== undefined && socket.bytesRead === SIZE
  })
  return { socket, id: seen!.id, entry: entryOf(map, seen!.id)! }
}

/** A connection that has ended, whose entry was put back. */
async function ended(t: TestContext) {
  const { watched, echo, map, ...first } = await scene(t)
  for (let live = first; ; live = await connect(watched, echo, map)) {
    const { socket, id, entry } = live
    socket.destroy()
    await once(socket, 'close')
    await eventually(async () => {
      await watched.tracer.flush()
      return endsOf(watched.seen, id).length === 1
    })
    try {
      put(map, entry, 'noexist')
      return { watched, echo, map, id }
    } catch (error) {
      // Another's socket lies there already.
      if (!/File exists/.test(String(error))) throw error
    }
  }
}

async function walk(watched: Watch, port: number): Promise<Seen[]> {
  const before = watched.of(port).length
  await watched.tracer.sample()
  await watched.tracer.flush()
  return watched.of(port).slice(before)
}

const endsOf = (records: readonly Seen[], id: number) =>
  records.filter((each) => each.id === id && (each.kind === Kind.end || each.kind === Kind.fail))

describe('an entry whose end no program saw', { skip }, () => {
  it("ends with the next walk where another connection's socket lies there, and has nothing of that one", async (t) => {
    const { watched, echo, map, id, entry } = await scene(t)
    put(map, ofAnother(entry), 'exist')
    const ends = endsOf(await walk(watched, echo.port), id)
    assert.deepEqual(
      ends.map(({ kind, bytesSent, retransData }) => ({ kind, bytesSent, retransData })),
      [{ kind: Kind.end, bytesSent: 0, retransData: 0 }],
    )
    assert.equal(entryOf(map, id), undefined)
  })

  it("ends with that connection's end too", async (t) => {
    const { watched, echo, socket, map, id, entry } = await scene(t)
    put(map, ofAnother(entry), 'exist')
    socket.destroy()
    await once(socket, 'close')
    await eventually(async () => {
      await watched.tracer.flush()
      return endsOf(watched.seen, id).length > 0
    })
    assert.deepEqual(
      endsOf(watched.seen, id).map(({ bytesSent }) => bytesSent),
      [0],
    )
    assert.equal(entryOf(map, id), undefined)
    assert.deepEqual(endsOf(await walk(watched, echo.port), id), [], 'once')
  })

  it('ends with the next walk where its own socket lies there still, closed', async (t) => {
    const { watched, echo, map, id } = await ended(t)
    const ends = endsOf(await walk(watched, echo.port), id)
    assert.equal(ends.length, 1)
    assert.ok([0, SIZE].includes(ends[0]!.bytesSent), `${ends[0]!.bytesSent} bytes: its own, or none`)
    assert.ok(ends[0]!.retransData < 1_000)
    assert.equal(entryOf(map, id), undefined)
  })
})
