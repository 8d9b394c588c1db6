import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { eventually } from '../e2e/child.ts'
import { agentUnavailable, startAgent } from '../kernel/agent.ts'
import { pointsOf } from '../kernel/points.ts'
import { listen, serveDocker, socketDirectory } from '../receivers/netvitals/containers/runtime-servers.ts'
import { CONNECTIONS, noProcesses, runIn, UNIFIED } from './processes.ts'

const newId = () => randomBytes(32).toString('hex')

/** What a runtime's socket does to whoever connects. */
const WRONGS: Readonly<Record<string, (socket: Socket) => void>> = {
  'accepts and never answers': (socket) => socket.resume(),
  'answers garbage': (socket) => socket.once('data', () => socket.write(randomBytes(4_000))),
  'dies in mid-answer': (socket) =>
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{"Name":"/web",')
      setTimeout(() => socket.destroy(), 50)
    }),
}

describe('a runtime socket', { skip: agentUnavailable() ?? noProcesses(), timeout: 240_000 }, () => {
  for (const [wrong, behave] of Object.entries(WRONGS)) {
    test(`that ${wrong} costs its own containers their names, and nobody anything else`, async (t) => {
      await holds(t, (socket) => {
        socket.on('error', () => {})
        behave(socket)
      })
    })
  }
})

async function holds(t: TestContext, behave: (socket: Socket) => void): Promise<void> {
  const directory = socketDirectory(t)
  const [bad, badCri, good] = ['docker', 'cri', 'podman'].map((name) => join(directory, `${name}.sock`)) as string[]
  await listen(t, bad!, behave)
  await listen(t, badCri!, behave)
  const named = newId()
  await serveDocker(t, good!, new Map([[named, { Name: 'web', Config: { Image: 'web:1', Labels: {} } }]]))

  const downs: string[] = []
  const agent = await startAgent({
    containers: {
      runtimes: [
        { type: 'cri', socket: badCri },
        { type: 'docker', socket: bad },
        { type: 'podman', socket: good },
      ],
      resolve_timeout: '1s',
    },
    onDown: (part, detail) => downs.push(`${part}: ${detail}`),
  })
  t.after(() => agent.stop())

  const [docker, second, pod] = [newId(), newId(), newId()]
  const paths: Readonly<Record<string, string>> = {
    [docker]: `system.slice/docker-${docker}.scope`,
    [second]: `system.slice/docker-${second}.scope`,
    [pod]: `kubepods/burstable/pod${randomUUID()}/${pod}`,
    [named]: `machine.slice/libpod-${named}.scope`,
    'sockets-demo.service': 'system.slice/sockets-demo.service',
  }
  /** Those dialled, by the container's id or the unit. */
  const exported = async () => {
    const found: Record<string, { value: number; name: unknown }> = {}
    for (const { resource, value } of pointsOf(await agent.collect(), {
      metric: 'container.net.tcp.successful_connects',
      point: { direction: 'outbound', 'destination.port': 8099 },
    }))
      found[String(resource['container.id'] ?? resource['systemd.unit'])] = { value, name: resource['container.name'] }
    return found
  }

  for (const path of Object.values(paths)) await runIn(t, [[UNIFIED, path]], { port: 8099 })
  const first = await exported()
  assert.equal(first['sockets-demo.service']?.value, CONNECTIONS, 'what nobody is asked for waits for nobody')
  const all = await eventually('all are exported', async () => {
    const found = await exported()
    return Object.keys(found).length === Object.keys(paths).length ? found : undefined
  })
  for (const who of Object.keys(paths)) assert.equal(all[who]?.value, CONNECTIONS, paths[who])
  assert.deepEqual(
    [docker, second, pod, named].map((id) => all[id!]!.name),
    [undefined, undefined, undefined, 'web'],
  )
  // As long as it takes to ask again more than once.
  await new Promise((resolve) => setTimeout(resolve, 4_000))
  await agent.collect()
  for (const socket of [bad!, badCri!])
    assert.equal(downs.filter((line) => line.includes(socket)).length, 1, downs.join('\n'))
  assert.equal(downs.filter((line) => line.includes(good!)).length, 0, downs.join('\n'))
}
