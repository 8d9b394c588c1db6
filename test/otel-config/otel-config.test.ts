import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { eventually, startChild } from '../e2e/child.ts'
import { buildCollector, startCollector } from '../e2e/collector.ts'
import { createContainers, noContainers } from '../e2e/containers.ts'
import { ROOT, startProgram } from '../e2e/program.ts'
import { parsePage } from '../e2e/prometheus-text.ts'
import { firstData } from '../e2e/received.ts'

const DIRECTORY = join(ROOT, 'otel-config')
const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.yaml'))
const built = await buildCollector()
const binary = built.path ?? ''
const noHost = noContainers()
const isForCollector = (name: string) => name.startsWith('collector')

describe('otel-config', () => {
  for (const name of files) {
    it(`has ${name} in its README`, async () => {
      assert.match(await readFile(join(DIRECTORY, 'README.md'), 'utf8'), new RegExp(`^\\| ${name} \\|`, 'm'))
    })
  }

  for (const name of files.filter((file) => !isForCollector(file))) {
    for (const endpoint of [undefined, 'collector.example:4317', 'https://collector.example:4317']) {
      it(`has ${name} right for netvitals, with ${endpoint ?? 'no'} endpoint in the environment`, async () => {
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }
        await using program = startProgram(['validate', '--config', join(DIRECTORY, name)], { env })
        const { code } = await program.exit
        assert.deepEqual({ code, stderr: program.stderr() }, { code: 0, stderr: '' })
      })
    }
  }

  for (const name of files.filter(isForCollector)) {
    it(`has ${name} right for the Collector`, { skip: built.skip ?? false }, async () => {
      await using collector = startChild(binary, ['validate', '--config', join(DIRECTORY, name)])
      const { code } = await collector.exit
      assert.deepEqual({ code, stderr: collector.stderr() }, { code: 0, stderr: '' })
    })
  }

  it('has a pair that shows a container at the Prometheus endpoint', {
    skip: noHost ?? built.skip ?? false,
  }, async () => {
    await using collector = await startCollector({ binary, configFile: join(DIRECTORY, 'collector.yaml') })
    await using containers = createContainers()
    await using program = startProgram(
      // Nothing of the file is changed but how long the test takes.
      ['--config', join(DIRECTORY, 'netvitals.yaml'), '--config', 'yaml:receivers::netvitals::collection_interval: 1s'],
      { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint } },
    )
    await firstData(program, collector)
    const { client, server } = containers
    await server.start('serve', '8080').output(/listening/)
    await client.start('connect', server.address, '8080', '20', '100', '0').exit
    const sample = await eventually('the connects of the client', async () =>
      parsePage(await collector.metricsPage()).find(
        ({ name, labels }) =>
          name === 'container_net_tcp_successful_connects_total' && labels.container_id === client.id,
      ),
    )
    assert.equal(sample.labels.destination_address, server.address)
    assert.match(collector.log(), /debug.*resource metrics/)
    assert.equal((await program.stop()).code, 0)
  })
})
