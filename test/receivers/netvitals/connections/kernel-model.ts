import { constants } from 'node:os'
import { Direction, Flag, Kind } from '../../../../src/receivers/netvitals/kernel/layout.gen.ts'
import { CLOSE_WAIT, type Conn, type createRig, ESTABLISHED, SYN_SENT } from './rig.ts'

type Rig = ReturnType<typeof createRig>
/** What became of a record: in the ring, or it found the ring full; an end then waits for a walk, or is lost for good. */
export type Fate = 'told' | 'lost' | 'gone'

interface Socket {
  readonly record: Conn & { flags: number; direction: number; cgroup: bigint }
  /** Whether any record of it was delivered, whether one that counts it as a success was, and what totals they had. */
  known: boolean
  counted: boolean
  readonly counts: Map<string, number>
}

/**
 * The kernel side as bpf/events.h promises it, for a test: sockets that live, a ring, walks; and, from the records that
 * it delivered, what a reader must have counted for each container.
 */
export function createKernelModel(rig: Rig, hostName: string) {
  const sockets: Socket[] = []
  const ring: [Socket, Conn][] = []
  const deferred: [Socket, Conn][] = []
  const learned = new Map<bigint, string>()
  const expected = new Map<string, number>()
  let lastId = 0
  let endsLost = 0

  const containerOf = (cgroup: bigint) => learned.get(cgroup) ?? hostName

  function nameOf({ record }: Socket, metric: string, ...attributes: string[]): string {
    const outbound = record.direction === Direction.outbound
    const [address, port] = outbound ? [record.remote, record.remotePort] : [record.local, record.localPort]
    const direction =
      metric === 'failed_connects' || metric === 'connection_time' ? [] : [outbound ? 'outbound' : 'inbound']
    return [containerOf(record.cgroup), metric, ...direction, ...attributes, `${address!.join('.')}:${port}`].join(' ')
  }

  const expect = (name: string, delta: number) => expected.set(name, (expected.get(name) ?? 0) + delta)

  /** Hands a record over, and notes what it tells. */
  function deliver(socket: Socket, record: Conn): void {
    rig.apply(record)
    socket.known = true
    const flags = record.flags!
    if (flags & Flag.established && !(flags & Flag.existing) && !socket.counted) {
      socket.counted = true
      expect(nameOf(socket, 'successful_connects'), 1)
      if (record.direction === Direction.outbound) expect(nameOf(socket, 'connection_time'), record.connectNs! / 1e9)
    }
    const rises: [string, number, string[]][] = [
      ['bytes_sent', record.bytesSent!, []],
      ['bytes_received', record.bytesReceived!, []],
      ['segments_sent', record.segmentsSent!, []],
      ['retransmits', record.retransData!, ['data']],
      ['retransmits', record.retransHandshake!, ['handshake']],
    ]
    for (const [metric, total, attributes] of rises) {
      const key = [metric, ...attributes].join(' ')
      const rise = total - (socket.counts.get(key) ?? 0)
      if (rise <= 0) continue
      socket.counts.set(key, total)
      expect(nameOf(socket, metric, ...attributes), rise)
    }
    if (record.kind === Kind.fail) expect(nameOf(socket, 'failed_connects', 'refused'), 1)
    if (flags & Flag.broken) expect(nameOf(socket, 'broken_connections', 'reset'), 1)
  }

  function emit(socket: Socket, kind: number, fate: Fate, more: Partial<Conn> = {}): boolean {
    const record = { ...socket.record, ...more, kind }
    if (fate === 'told') ring.push([socket, record])
    else if (kind === Kind.end || kind === Kind.fail) {
      if (fate === 'lost') deferred.push([socket, record])
      else endsLost++
    }
    return fate === 'told'
  }

  function make(direction: number, cgroup: bigint, place: number, flags: number, state: number): Socket {
    const outbound = direction === Direction.outbound
    const record = {
      ...{ kind: 0, id: ++lastId, direction, cgroup, flags, state, connectNs: 0 },
      ...{ bytesSent: 0, bytesReceived: 0, segmentsSent: 0, retransData: 0, retransHandshake: 0 },
      ...(outbound
        ? { remote: [10, 0, 0, 10 + place], remotePort: 443, local: [10, 0, 0, 1], localPort: 40_000 }
        : { local: [10, 0, 0, 1], localPort: 80 + place, remote: [10, 0, 0, 200], remotePort: 50_000 }),
    }
    const socket: Socket = { record, known: false, counted: false, counts: new Map() }
    sockets.push(socket)
    return socket
  }

  /** One of the live sockets; undefined when there is none of this kind. */
  const pick = (which: number, established: boolean): Socket | undefined => {
    const able = sockets.filter(({ record }) => Boolean(record.flags & Flag.established) === established)
    return able[which % able.length]
  }

  function establish(socket: Socket): void {
    socket.record.flags |= Flag.established
    socket.record.state = ESTABLISHED
  }

  function remove(socket: Socket): void {
    sockets.splice(sockets.indexOf(socket), 1)
  }

  const model = {
    dial: (cgroup: bigint, place: number) => void make(Direction.outbound, cgroup, place, 0, SYN_SENT),
    accept: (cgroup: bigint, place: number) => establish(make(Direction.inbound, cgroup, place, 0, ESTABLISHED)),
    /** A connection from before the start. */
    find(cgroup: bigint, place: number, direction: number): void {
      const flags = Flag.established | Flag.existing
      const socket = make(direction, cgroup, place, flags, ESTABLISHED)
      deliver(socket, { ...socket.record, kind: Kind.sample })
    },
    connect(which: number, connectNs: number): void {
      const socket = pick(which, false)
      if (!socket) return
      socket.record.connectNs = connectNs
      establish(socket)
    },
    transfer(which: number, sent: number, received: number): void {
      const { record } = pick(which, true) ?? {}
      if (!record) return
      record.bytesSent! += sent
      record.bytesReceived! += received
      record.segmentsSent! += 1 + Math.floor(sent / 1000)
    },
    retransmit(which: number, established: boolean, report: boolean, fate: Fate): void {
      const socket = pick(which, established)
      if (!socket) return
      if (established) socket.record.retransData! += 2
      else socket.record.retransHandshake! += 1
      if (report) emit(socket, Kind.retrans, fate)
    },
    /** The peer's FIN: still active. */
    halfClose(which: number): void {
      const socket = pick(which, true)
      if (socket) socket.record.state = CLOSE_WAIT
    },
    close(which: number, broken: boolean, fate: Fate): void {
      const socket = pick(which, true)
      if (!socket) return
      const flags = socket.record.flags | (broken ? Flag.broken : 0)
      emit(socket, Kind.end, fate, { flags, state: 7, error: broken ? constants.errno.ECONNRESET : 0 })
      remove(socket)
    },
    refuse(which: number, fate: Fate): void {
      const socket = pick(which, false)
      if (!socket) return
      emit(socket, Kind.fail, fate, { state: 7, error: constants.errno.ECONNREFUSED })
      remove(socket)
    },
    drain(): void {
      for (const [socket, record] of ring.splice(0)) deliver(socket, record)
    },
    /** `late`: what is in the ring now was told while the walk ran, and is read after it. */
    async walk(late: boolean): Promise<void> {
      if (!late || deferred.length > 0) model.drain()
      for (const [socket, record] of deferred.splice(0)) deliver(socket, record)
      for (const socket of sockets) deliver(socket, { ...socket.record, kind: Kind.sample })
      model.drain()
      rig.connections.endWalk(endsLost)
    },
    learn(cgroup: bigint): void {
      if (!learned.has(cgroup)) learned.set(cgroup, rig.container(Number(cgroup)))
    },
    closeAll(): void {
      while (pick(0, true)) model.close(0, false, 'told')
      while (pick(0, false)) model.refuse(0, 'told')
      model.drain()
    },
    expected,
    /** Live connections by container, as active_connections has them. */
    active(): Map<string, number> {
      const counts = new Map<string, number>()
      for (const { record } of sockets) {
        if (!(record.flags & Flag.established)) continue
        counts.set(containerOf(record.cgroup), (counts.get(containerOf(record.cgroup)) ?? 0) + 1)
      }
      return counts
    },
    get endsLost() {
      return endsLost
    },
  }
  return model
}
