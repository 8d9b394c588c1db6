import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { agentUnavailable, startAgent } from './agent.ts'
import { createLab, labUnavailable } from './lab.ts'
import { comparable, seenLinks, toldLinks } from './links.ts'
import { startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false

test("containers in the host's own network namespace each get their own series", {
  skip,
  timeout: 60_000,
}, async () => {
  const lab = createLab({ namespaces: 0 })
  const agent = await startAgent()
  try {
    const shop = startProgram(lab, lab.host, lab.container('docker'), 'drive')
    const worker = startProgram(lab, lab.host, lab.container('kubepods'), 'drive')
    const api = startProgram(lab, lab.host, lab.container('docker'), 'serve')
    const store = startProgram(lab, lab.host, lab.container('kubepods'), 'serve')
    const programs = [shop, worker, api, store]
    const toApi = `127.0.0.1:${await api.listen('port=0 family=4')}`
    const toStore = `[::1]:${await store.listen('port=0 family=6')}`

    // The same destination from two containers, and two destinations from one.
    await Promise.all([
      shop.command(`connect to=${toApi} n=300 end=client_fin up=1000`),
      worker.command(`connect to=${toApi} n=500 end=server_fin down=2000`),
    ])
    await shop.command(`connect to=${toStore} n=200 end=more`)
    await worker.command(`connect to=${toStore} n=100 end=client_rst`)

    const containers = programs.map((program) => program.container)
    const told = async () => comparable(toldLinks(await agent.collect(), containers))
    for (const program of [api, store]) await program.command('report')
    const seen = comparable(seenLinks(new Map(programs.map((program) => [program.container, program.tallies()]))))
    // The last FINs are still on their way: the host's namespace is never quiet.
    for (let tries = 0; tries < 20 && JSON.stringify(await told()) !== JSON.stringify(seen); tries++) await sleep(50)
    assert.deepEqual(await told(), seen)
  } finally {
    await agent.stop()
    await lab.close()
  }
})
