import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { createClient } from '../../src/kubernetes/client.ts'
import { objectOf, textOf } from '../../src/kubernetes/json.ts'
import { createReflector, type Resource, TIMING, type Timing } from '../../src/kubernetes/reflector.ts'
import { noCertificates } from '../e2e/certificates.ts'
import { eventually } from '../e2e/child.ts'
import {
  type Answer,
  type ApiServer,
  createApiServer,
  eventLine,
  type ObjectJson,
  refuse,
  writeList,
} from './api-server.ts'

interface Thing {
  readonly uid: string
  readonly size: unknown
}

const PATH = '/apis/things/v1/things'
/** Sooner than in earnest, so that a failure is seen. */
const SOON: Timing = { ...TIMING, pageSize: 2, backoffMs: 5, maxBackoffMs: 20, stableMs: 50 }
const thing = (uid: string, size: unknown = 1): ObjectJson => ({ metadata: { name: uid, uid }, size })

describe('list and watch', { skip: (await noCertificates()) ?? false }, () => {
  let server: ApiServer
  let reflector: ReturnType<typeof createReflector<Thing>>
  let client: ReturnType<typeof createClient>
  /** The copy. */
  const things = new Map<string, unknown>()
  const lines: string[] = []
  let syncs = 0
  let initial: string[] = []

  before(async () => {
    server = await createApiServer()
  })
  after(() => server[Symbol.asyncDispose]())
  beforeEach(() => {
    things.clear()
    lines.length = 0
    syncs = 0
    initial = []
    server.set(PATH, [thing('a'), thing('b'), thing('c'), thing('d'), thing('e')])
  })
  afterEach(async () => {
    reflector.stop()
    client.close()
    await server.reset()
  })

  function start(timing: Partial<Timing> = {}, more: Partial<Resource<Thing>> = {}): void {
    client = createClient({ access: server.access })
    reflector = createReflector<Thing>({
      client,
      timing: { ...SOON, ...timing },
      onSynced: () => syncs++,
      log: {
        info: (_fields: unknown, text: string) => lines.push(text),
        warn: (fields: { error?: string }, text: string) => lines.push(`${text}: ${fields.error}`),
      } as never,
      resource: {
        name: 'things',
        path: PATH,
        trim(raw) {
          const uid = textOf(objectOf(raw.metadata).uid)
          return uid === undefined ? undefined : { uid, size: raw.size }
        },
        upsert(object, first) {
          things.set(object.uid, object.size)
          if (first) initial.push(object.uid)
        },
        remove: (uid) => things.delete(uid),
        ...more,
      },
    })
    reflector.start()
  }

  const names = () => [...things.keys()].sort().join('')
  const watching = () => eventually('it watches', () => server.watching(PATH) > 0 || undefined)
  const becomes = (expected: string) => eventually(`the copy is ${expected}`, () => names() === expected || undefined)
  /** Requests since it was called. */
  function listening() {
    const from = server.asked.length
    return {
      lists: () => server.asked.slice(from).filter(({ path, query }) => path === PATH && !query.has('watch')),
      watches: () => server.asked.slice(from).filter(({ path, query }) => path === PATH && query.has('watch')),
    }
  }

  /** A watch that says this and then ends, or stays open. */
  function says(text: string, end: boolean | 'cut' = false): Answer {
    return (_asked, response) => {
      response.writeHead(200)
      if (end === true) response.end(text)
      else response.write(text, () => end === 'cut' && response.destroy())
    }
  }

  it('lists page by page, from the cache of the server, then watches from there', async () => {
    const { lists, watches } = listening()
    start()
    await watching()
    assert.equal(names(), 'abcde')
    assert.equal(syncs, 1)
    assert.deepEqual(initial, ['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual(
      lists().map(({ query }) => query.toString()),
      ['limit=2&resourceVersion=0', 'limit=2&continue=2', 'limit=2&continue=4'],
    )
    const { query } = watches()[0]!
    assert.match(query.get('resourceVersion')!, /^\d+$/)
    assert.equal(query.get('allowWatchBookmarks'), 'true')
    assert.ok(Number(query.get('timeoutSeconds')) >= 300)
    assert.deepEqual(
      { ...reflector.status(), heardAtMs: 0 },
      {
        ...{ resource: 'things', synced: true, objects: 5, lists: 1, failures: 0, heardAtMs: 0 },
      },
    )
  })

  it('asks for metadata alone, and for some, where that is enough', async () => {
    const { lists, watches } = listening()
    start({}, { metadataOnly: true, query: 'fieldSelector=spec.nodeName%3Dn1' })
    await watching()
    const [list, watch] = [lists()[0]!, watches()[0]!]
    assert.match(list.headers.accept!, /^application\/json;as=PartialObjectMetadataList;g=meta\.k8s\.io;v=v1,/)
    assert.match(watch.headers.accept!, /^application\/json;as=PartialObjectMetadata;g=meta\.k8s\.io;v=v1,/)
    for (const { query } of [list, watch]) assert.equal(query.get('fieldSelector'), 'spec.nodeName=n1')
  })

  it('follows what is added, changed and deleted', async () => {
    start()
    await watching()
    server.event(PATH, 'ADDED', thing('f'))
    server.event(PATH, 'MODIFIED', thing('a', 2))
    server.event(PATH, 'DELETED', thing('b'))
    await becomes('acdef')
    assert.equal(things.get('a'), 2)
    assert.equal(reflector.status().objects, 5)
    assert.deepEqual(initial, ['a', 'b', 'c', 'd', 'e'])
  })

  it('goes on where it was when the server ends a watch, a bookmark included', async () => {
    start({ stableMs: 1 })
    await watching()
    const { lists, watches } = listening()
    server.event(PATH, 'BOOKMARK', { metadata: {} })
    server.event(PATH, 'BOOKMARK', { metadata: {} })
    await eventually(
      'the bookmark is heard',
      () => Date.now() - (reflector.status().heardAtMs ?? 0) < 1000 || undefined,
    )
    const version = await eventually('the next watch', () => {
      server.endWatches(PATH)
      return watches()[0]?.query.get('resourceVersion') ?? undefined
    })
    server.next('watch', PATH, says(eventLine('BOOKMARK', {}, 777_777), true))
    server.endWatches(PATH)
    await eventually(
      'a watch from the bookmark',
      () => watches().some(({ query }) => query.get('resourceVersion') === '777777') || undefined,
    )
    assert.ok(Number(version) > 1000)
    assert.equal(lists().length, 0)
    assert.equal(reflector.status().failures, 0)
  })

  for (const [how, answer] of [
    ['an answer of 410', refuse(410, 'too old resource version')],
    [
      'an ERROR event of 410',
      says(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, message: 'too old' } })}\n`),
    ],
  ] as const) {
    it(`lists again after ${how}, and forgets what is gone`, async () => {
      start()
      await watching()
      server.set(PATH, [thing('a', 7), thing('x')])
      const { lists } = listening()
      server.next('watch', PATH, answer)
      server.event(PATH, 'BOOKMARK', { metadata: {} })
      server.endWatches(PATH)
      await becomes('ax')
      assert.equal(things.get('a'), 7)
      // Not from a cache, which may lag behind what is known.
      assert.equal(lists()[0]!.query.has('resourceVersion'), false)
      assert.equal(syncs, 1)
      assert.deepEqual(initial, ['a', 'b', 'c', 'd', 'e'])
      assert.deepEqual(lines, [])
    })
  }

  it('waits longer and longer when each watch is too old', async () => {
    start()
    await watching()
    for (let i = 0; i < 6; i++) server.next('watch', PATH, refuse(410, 'too old'))
    server.event(PATH, 'BOOKMARK', { metadata: {} })
    server.endWatches(PATH)
    await eventually('six lists', () => reflector.status().lists >= 7 || undefined)
    assert.equal(reflector.status().failures, 5)
    await eventually('it recovers', () => reflector.status().problem === undefined || undefined)
    assert.deepEqual(lines, ['Cannot watch the Kubernetes API: 410 too old', 'The Kubernetes API answers again'])
  })

  it('begins a list anew when its continuation is too old', async () => {
    const { lists } = listening()
    server.next('list', PATH, (_asked, response) =>
      writeList(response, [thing('a'), thing('gone')], { resourceVersion: '5', continue: '2' }),
    )
    server.next('list', PATH, refuse(410, 'The provided continue parameter is too old'))
    start()
    await becomes('abcde')
    assert.equal(syncs, 1)
    assert.deepEqual(
      lists().map(({ query }) => query.get('continue')),
      [null, '2', null, '2', '4'],
    )
  })

  const broken: [what: string, answer: Answer][] = [
    [
      'ends in mid-object',
      cutList('{"kind":"ThingList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"uid":"a"}},{"met'),
    ],
    [
      'ends in mid-object, politely',
      politeList('{"kind":"ThingList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"uid":"a"}},{"met'),
    ],
    ['is garbage', politeList('\u0000\u0001 not JSON at all {')],
    ['is a page of a proxy', politeList('<html><body>Please log in</body></html>')],
    ['is empty', politeList('')],
    ['is no list', politeList('{"kind":"Status","metadata":{}}')],
    ['has no version', politeList('{"kind":"ThingList","metadata":{},"items":[]}')],
    ['is refused', refuse(403, 'things is forbidden')],
    ['fails', refuse(500, 'etcdserver: leader changed')],
    ['dies', (_asked, response) => response.destroy()],
  ]
  for (const [what, answer] of broken) {
    it(`keeps its copy when a list ${what}`, async () => {
      start()
      await watching()
      // The list that comes after a 410 is the one that fails.
      server.next('watch', PATH, refuse(410, 'too old'))
      server.next('list', PATH, (asked, response) => {
        assert.equal(names(), 'abcde')
        answer(asked, response)
      })
      server.event(PATH, 'BOOKMARK', { metadata: {} })
      server.endWatches(PATH)
      await eventually('the failure', () => reflector.status().failures > 0 || undefined)
      assert.equal(names(), 'abcde')
      server.event(PATH, 'ADDED', thing('f'))
      await eventually('it is well again', () => {
        server.event(PATH, 'ADDED', thing('f'))
        return names() === 'abcdef' || undefined
      })
    })
  }

  const brokenWatches: [what: string, answer: Answer, reason: RegExp][] = [
    ['ends in mid-object', says('{"type":"ADDED","object":{"metadata":{"uid":"x"', 'cut'), /aborted|ECONNRESET/],
    [
      'ends in mid-object, politely',
      says('{"type":"ADDED","object":{"metadata":{"uid":"x"', true),
      /ended in the middle of an event/,
    ],
    ['has a malformed line', says('{"type":"DELETED","object":{{}}\n'), /JSON/],
    [
      'has an event of no known type',
      says(`${JSON.stringify({ type: 'EXPLODED', object: { metadata: { uid: 'a', resourceVersion: '1' } } })}\n`),
      /unknown type/,
    ],
    [
      'has an event without a version',
      says(`${JSON.stringify({ type: 'DELETED', object: { metadata: { uid: 'a' } } })}\n`),
      /without a resourceVersion/,
    ],
    [
      'reports an error of its own',
      says(`${JSON.stringify({ type: 'ERROR', object: { code: 500, message: 'etcd' } })}\n`),
      /: etcd$/,
    ],
    ['ends at once', says('', true), /ended the watch at once/],
    ['is refused', refuse(429, 'slow down'), /429 slow down/],
  ]
  for (const [what, answer, reason] of brokenWatches) {
    it(`keeps its copy, and asks again from where it was, when a watch ${what}`, async () => {
      start()
      await watching()
      const { lists } = listening()
      server.next('watch', PATH, answer)
      server.event(PATH, 'BOOKMARK', { metadata: {} })
      server.endWatches(PATH)
      await eventually('the failure', () => reflector.status().failures > 0 || undefined)
      assert.match(lines[0]!, reason)
      assert.equal(names(), 'abcde')
      await watching()
      server.event(PATH, 'ADDED', thing('f'))
      await becomes('abcdef')
      assert.equal(lists().length, 0)
    })
  }

  it('takes no object without a uid, and all others', async () => {
    server.set(PATH, [thing('a'), { metadata: { name: 'x' } } as never, thing('b')])
    start()
    await watching()
    assert.equal(names(), 'ab')
    server.event(PATH, 'DELETED', { metadata: {} })
    server.event(PATH, 'ADDED', thing('c'))
    await becomes('abc')
    assert.equal(lines.length, 1)
    assert.match(lines[0]!, /^Ignoring an object/)
    assert.equal(reflector.status().failures, 0)
  })

  it('does not ask sooner than Retry-After says', async () => {
    server.next('list', PATH, refuse(429, 'busy', { 'retry-after': '1' }))
    const began = Date.now()
    start()
    await becomes('abcde')
    assert.ok(Date.now() - began >= 1_000, `${Date.now() - began} ms`)
  })

  it('gives up on a list that stops coming', async () => {
    server.next('list', PATH, politeList('{"kind":"ThingList","items":[{"metadata":{"uid":"a"}},', false))
    start({ listIdleMs: 100 })
    await becomes('abcde')
    assert.match(lines[0]!, /nothing came for 100 ms/)
  })

  it('gives up on a watch that has fallen silent', async () => {
    const { watches } = listening()
    start({ watchIdleMs: 100 })
    await eventually('another watch', () => watches().length >= 2 || undefined)
    assert.match(lines[0]!, /nothing came for 100 ms/)
    assert.equal(names(), 'abcde')
  })

  it('says once that the server is away and once that it is back', async () => {
    let away = true
    server.gate = (_asked, response) => {
      if (away) response.destroy()
      return away
    }
    start()
    await eventually('five attempts', () => reflector.status().failures >= 5 || undefined)
    assert.match(reflector.status().problem ?? '', /socket hang up|ECONNRESET/)
    assert.deepEqual([syncs, reflector.status().synced], [0, false])
    away = false
    await becomes('abcde')
    await eventually('it is back', () => reflector.status().problem === undefined || undefined)
    assert.equal(lines.length, 2)
  })

  it('names the right that is missing', async () => {
    server.gate = (asked, response) => {
      refuse(403, 'things is forbidden: User "system:serviceaccount:x:y" cannot list resource "things"')(
        asked,
        response,
      )
      return true
    }
    start()
    await eventually('the problem', () => reflector.status().problem)
    assert.match(reflector.status().problem!, /^403 things is forbidden: User .*; allow list and watch of things/)
  })

  it('stops in the middle of anything, and asks no more', async () => {
    start()
    await watching()
    reflector.stop()
    await eventually('the watch has ended', () => server.watching(PATH) === 0 || undefined)
    const { lists, watches } = listening()
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual([lists().length, watches().length, reflector.status().failures], [0, 0, 0])
  })
})

function cutList(text: string): Answer {
  return (_asked, response: ServerResponse) => {
    response.writeHead(200, { 'content-length': String(text.length + 1000) })
    response.write(text, () => response.destroy())
  }
}

function politeList(text: string, end = true): Answer {
  return (_asked, response) => {
    response.writeHead(200)
    if (end) response.end(text)
    else response.write(text)
  }
}
