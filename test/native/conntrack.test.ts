import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { after, before, describe, it, type TestContext } from 'node:test'
import { formatAddress } from '../../src/receivers/netvitals/destinations/address.ts'
import { createConntrack } from '../../src/receivers/netvitals/kernel/conntrack.ts'
import {
  ConntrackAnswerLayout,
  ConntrackRequestLayout,
  type NativeConntrack,
} from '../../src/receivers/netvitals/kernel/native.ts'
import { createLab, type Lab, labUnavailable, type Namespace } from '../kernel/lab.ts'

const { ENOENT } = constants.errno

interface Answer {
  readonly token: number
  readonly errno: number
  readonly port: number
  readonly address: Uint8Array
}

interface Question {
  readonly token?: number
  readonly first: number
  readonly second?: number
  readonly source: string
  readonly sourcePort: number
  readonly destination: string
  readonly destinationPort: number
}

function open(t: TestContext) {
  const answers: Answer[] = []
  const batches: number[] = []
  const conntrack = createConntrack({
    onAnswers(buffer, length) {
      batches.push(length / ConntrackAnswerLayout.size)
      const view = new DataView(buffer.buffer, buffer.byteOffset, length)
      for (let at = 0; at < length; at += ConntrackAnswerLayout.size)
        answers.push({
          token: view.getUint32(at + ConntrackAnswerLayout.token, true),
          errno: view.getInt32(at + ConntrackAnswerLayout.errno, true),
          port: view.getUint16(at + ConntrackAnswerLayout.port, true),
          address: buffer.slice(at + ConntrackAnswerLayout.address, at + ConntrackAnswerLayout.address + 16),
        })
    },
    onError: (error) => assert.fail(error),
  })
  t.after(() => conntrack.close())

  async function ask(...questions: Question[]): Promise<Answer[]> {
    const from = answers.length
    conntrack.lookup(bytesOf(questions), questions.length)
    const deadline = Date.now() + 5_000
    while (answers.length < from + questions.length) {
      assert.ok(Date.now() < deadline, 'no answer within 5 s')
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return answers.slice(from)
  }
  return { conntrack, ask, batches }
}

function bytesOf(questions: readonly Question[]): Uint8Array {
  const layout = ConntrackRequestLayout
  const bytes = new Uint8Array(questions.length * layout.size)
  const view = new DataView(bytes.buffer)
  for (const [index, question] of questions.entries()) {
    const at = index * layout.size
    const v4 = !question.source.includes(':')
    view.setUint32(at + layout.token, question.token ?? index + 1, true)
    view.setUint32(at + layout.first, question.first, true)
    view.setUint32(at + layout.second, question.second ?? 0, true)
    view.setUint16(at + layout.sourcePort, question.sourcePort, true)
    view.setUint16(at + layout.destinationPort, question.destinationPort, true)
    bytes[at + layout.family] = v4 ? 4 : 6
    bytes.set(addressOf(question.source), at + layout.source)
    bytes.set(addressOf(question.destination), at + layout.destination)
  }
  return bytes
}

/** fd01::2 and 10.0.0.1 alike; no more of RFC 4291 than the lab's addresses have. */
function addressOf(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.'), Number)
  const [head = '', tail = ''] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)))
  const [left, right] = [groups(head), groups(tail)]
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Uint8Array.from(all.flatMap((group) => [group >>> 8, group & 255]))
}

/** Connects from a namespace and keeps it: the local address and port. */
async function connect(from: Namespace, host: string, port: number, children: ChildProcess[]) {
  const script = `const s = require('node:net').connect(${port}, '${host}')
s.on('connect', () => console.log(JSON.stringify({ source: s.localAddress, sourcePort: s.localPort })))
s.on('error', (error) => console.log(JSON.stringify({ error: error.message })))
process.stdin.resume().on('end', () => process.exit())`
  const child = spawn('nsenter', [`--net=${from.path}`, process.execPath, '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = await once(createInterface(child.stdout!), 'line')
  const local = JSON.parse(line as string)
  assert.equal(local.error, undefined)
  return { ...local, destination: host, destinationPort: port } as Omit<Question, 'first'>
}

describe('connection tracking', { skip: labUnavailable() }, () => {
  let lab: Lab
  let client: Namespace
  let server: Namespace
  const children: ChildProcess[] = []

  before(async () => {
    lab = createLab({ namespaces: 2 })
    ;[client, server] = lab.namespaces as [Namespace, Namespace]
    client.run(['ip', 'route', 'add', '10.96.0.0/24', 'via', server.ipv4])
    client.run(['ip', '-6', 'route', 'add', 'fd96::/64', 'via', server.ipv6])
    client.run(
      ['nft', '-f', '-'],
      `table inet services {
        chain output { type nat hook output priority -100
          ip daddr 10.96.0.1 tcp dport 80 dnat ip to ${server.ipv4}:8080
          ip6 daddr fd96::1 tcp dport 80 dnat ip6 to [${server.ipv6}]:8080
        }
      }`,
    )
    const script = `const s = require('node:net').createServer((c) => c.on('error', () => {}))
s.listen(8080, '::', () => console.log('ready'))
process.stdin.resume().on('end', () => process.exit())`
    const child = spawn('nsenter', [`--net=${server.path}`, process.execPath, '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(child)
    await once(child.stdout!, 'data')
  })

  after(async () => {
    for (const child of children) {
      child.stdin?.end()
      if (child.exitCode === null) await once(child, 'exit')
    }
    await lab?.close()
  })

  async function enter(conntrack: NativeConntrack, namespace: Namespace): Promise<number> {
    const fd = openSync(namespace.path, 'r')
    try {
      return await conntrack.open(fd)
    } finally {
      closeSync(fd)
    }
  }

  it('tells who answers a translated destination, for IPv4 and IPv6', async (t) => {
    const { conntrack, ask } = open(t)
    const first = await enter(conntrack, client)
    const v4 = await connect(client, '10.96.0.1', 80, children)
    const v6 = await connect(client, 'fd96::1', 80, children)
    const [answer4, answer6] = await ask({ ...v4, first }, { ...v6, first })
    assert.deepEqual([answer4!.token, answer4!.errno, answer4!.port], [1, 0, 8080])
    assert.equal(formatAddress(answer4!.address, 0, 4), server.ipv4)
    assert.deepEqual([answer6!.token, answer6!.errno, answer6!.port], [2, 0, 8080])
    assert.equal(formatAddress(answer6!.address, 0, 6), server.ipv6)
  })

  it('tells the destination itself of a tracked connection that nobody translates', async (t) => {
    const { conntrack, ask } = open(t)
    const first = await enter(conntrack, client)
    const direct = await connect(client, server.ipv4, 8080, children)
    const [answer] = await ask({ ...direct, first })
    assert.equal(answer!.errno, 0)
    assert.equal(formatAddress(answer!.address, 0, 4), server.ipv4)
    assert.equal(answer!.port, 8080)
  })

  it('asks the second namespace where the first does not know the connection', async (t) => {
    const { conntrack, ask } = open(t)
    const [elsewhere, there] = [await enter(conntrack, server), await enter(conntrack, client)]
    const question = await connect(client, '10.96.0.1', 80, children)
    const answers = await ask(
      { ...question, first: elsewhere },
      { ...question, first: elsewhere, second: there },
      { ...question, first: 4711, second: there },
    )
    assert.deepEqual(
      answers.map(({ errno }) => errno),
      [ENOENT, 0, 0],
    )
  })

  it('answers ENOENT for what is not there, and of a namespace that was released', async (t) => {
    const { conntrack, ask } = open(t)
    const first = await enter(conntrack, client)
    const question = await connect(client, '10.96.0.1', 80, children)
    const [stranger] = await ask({ ...question, first, sourcePort: question.sourcePort ^ 1 })
    assert.equal(stranger!.errno, ENOENT)
    conntrack.release(first)
    const [released] = await ask({ ...question, first })
    assert.equal(released!.errno, ENOENT)
  })

  it('does not turn tracking on by asking', async (t) => {
    const { conntrack, ask } = open(t)
    const quiet = createLab({ namespaces: 2 })
    t.after(() => quiet.close())
    const [from, to] = quiet.namespaces as [Namespace, Namespace]
    const first = await enter(conntrack, from)
    const question = {
      first,
      source: from.ipv4,
      sourcePort: 40_000,
      destination: to.ipv4,
      destinationPort: 9,
    }
    assert.equal((await ask(question))[0]!.errno, ENOENT)
    // An attempt from just that port, answered by RST.
    const script = `require('node:net').connect({ host: '${to.ipv4}', port: 9, localPort: 40000 }).on('error', () => {})`
    from.run([process.execPath, '-e', script])
    assert.equal((await ask(question))[0]!.errno, ENOENT)
  })

  it('answers thousands of questions, in order, a batch at a time', async (t) => {
    const { conntrack, ask, batches } = open(t)
    const first = await enter(conntrack, client)
    const question = await connect(client, '10.96.0.1', 80, children)
    const count = 5_000
    const answers = await ask(...Array.from({ length: count }, (_, token) => ({ ...question, first, token })))
    assert.deepEqual(
      answers.map(({ token }) => token),
      [...Array(count).keys()],
    )
    assert.ok(answers.every(({ errno, port }) => errno === 0 && port === 8080))
    assert.deepEqual(batches, [count])
  })
})

describe('the handle of connection tracking', { skip: labUnavailable() }, () => {
  it('refuses wrong arguments with their place, what was expected and what was found', (t) => {
    const { conntrack } = open(t)
    const coded = (message: RegExp) => ({ code: 'ERR_INVALID_OPTION', message })
    assert.throws(() => createConntrack(5 as never), coded(/expected an object, got 5/))
    assert.throws(
      () => createConntrack({ onError() {} } as never),
      coded(/onAnswers: expected a function, got undefined/),
    )
    assert.throws(
      () => conntrack.open('x' as never),
      coded(/open\(netnsFd\): expected a file descriptor, or -1, got x/),
    )
    assert.throws(() => conntrack.open(999_999), coded(/descriptor 999999: Bad file descriptor/))
    assert.throws(
      () => conntrack.lookup(new Uint8Array(51), 1),
      coded(/at least count times 52 bytes, got 1 and room for 0/),
    )
    assert.throws(() => conntrack.lookup([] as never, 1), coded(/expected a Uint8Array/))
  })

  it('may be closed twice; after that everything throws, and what was asked is rejected', async (t) => {
    const { conntrack } = open(t)
    const opening = conntrack.open(-1)
    conntrack.close()
    conntrack.close()
    await assert.rejects(opening, { code: 'ERR_CONNTRACK_CLOSED' })
    assert.throws(() => conntrack.open(-1), { code: 'ERR_CONNTRACK_CLOSED' })
    assert.throws(() => conntrack.release(1), { code: 'ERR_CONNTRACK_CLOSED' })
    assert.throws(() => conntrack.lookup(new Uint8Array(52), 1), { code: 'ERR_CONNTRACK_CLOSED' })
  })

  it('refuses a descriptor that is no network namespace', async (t) => {
    const { conntrack } = open(t)
    const fd = openSync('/dev/null', 'r')
    t.after(() => closeSync(fd))
    await assert.rejects(conntrack.open(fd), { code: 'ERR_SETNS', message: /Invalid argument/ })
  })
})
