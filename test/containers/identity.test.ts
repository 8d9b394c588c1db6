import assert from 'node:assert/strict'
import { lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findCgroupMount } from '../../src/receivers/netvitals/containers/cgroupfs.ts'
import { type Container, createContainers } from '../../src/receivers/netvitals/containers/index.ts'
import { createDocker, createPodman, type Engine, missing } from './lab.ts'
import { removeCgroup } from './sandbox.ts'

const ENGINES = { docker: createDocker, podman: createPodman }

for (const runtime of ['docker', 'podman'] as const) {
  describe(`a real ${runtime}`, { skip: missing(runtime), timeout: 180_000 }, () => {
    let engine: Engine
    before(async () => {
      engine = await ENGINES[runtime]()
    })
    after(() => engine?.stop())

    test('container that runs before the start is known by its cgroup id', async (t) => {
      const running = await engine.run()
      const containers = createContainers()
      t.after(() => containers.stop())
      await containers.start()
      const container = containers.byCgroup(running.cgroupId)
      assert.equal(container.id, running.id)
      assert.equal(container.runtime, runtime)
      assert.equal(container.key, running.cgroupPath)
      assert.equal(container.attributes['container.id'], running.id)
      assert.equal(container.attributes['container.runtime.name'], runtime)
      assert.equal(container.attributes['service.instance.id'], running.id)
    })

    test('containers that start later are known at once, without a record, each as itself', async (t) => {
      const containers = createContainers()
      t.after(() => containers.stop())
      await containers.start()
      for (let i = 0; i < 3; i++) {
        const running = await engine.run()
        assert.equal(containers.byCgroup(running.cgroupId).id, running.id)
      }
    })

    test('container is known from the record of its cgroup alone', async () => {
      const running = await engine.run()
      const containers = createContainers()
      containers.cgroupCreated(running.cgroupId, running.cgroupPath)
      assert.equal(containers.byCgroup(running.cgroupId).id, running.id)
      assert.equal(containers.byCgroup(running.cgroupId).runtime, runtime)
    })

    test('cgroup nested in a container is the container', async (t) => {
      const running = await engine.run()
      const nested = join(findCgroupMount().root, running.cgroupPath, 'nested/deeper')
      mkdirSync(nested, { recursive: true })
      t.after(() => removeCgroup(join(nested, '..')))
      const containers = createContainers()
      t.after(() => containers.stop())
      await containers.start()
      const container = containers.byCgroup(lstatSync(nested, { bigint: true }).ino)
      assert.equal(container.id, running.id)
      assert.equal(container, containers.byCgroup(running.cgroupId))
    })

    test('container ends once when its cgroup is gone, and is still named for late events', async (t) => {
      const running = await engine.run()
      const containers = createContainers()
      const ended: Container[] = []
      containers.onEnd((container) => ended.push(container))
      t.after(() => containers.stop())
      await containers.start()
      const container = containers.byCgroup(running.cgroupId)
      await engine.remove(running)
      await containers.resync()
      containers.cgroupRemoved(running.cgroupId)
      assert.deepEqual(
        ended.filter(({ id }) => id === running.id),
        [container],
      )
      assert.equal(containers.byCgroup(running.cgroupId), container)
    })

    test('processes inside see the network that the engine gave them', async () => {
      const running = await engine.run()
      const interfaces = await engine.exec(running, ['ip', '-o', 'addr'])
      assert.match(interfaces, runtime === 'docker' ? /inet 10\.77\.2\.\d+\/24/ : /inet 127\.0\.0\.1/)
    })
  })
}
