import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { eventually } from '../../e2e/child.ts'
import { buildCollector, type Collector, startCollector } from '../../e2e/collector.ts'
import type { Point, Values } from '../../e2e/otlp-json.ts'
import { commandLine, ROOT, STACK_TRACE, startProgram } from '../../e2e/program.ts'
import { firstData, latest, total } from '../../e2e/received.ts'
import { RELOADED } from '../../e2e/reloading.ts'
import { noSystemd, startSystemd } from '../../e2e/systemd.ts'

const run = promisify(execFile)
const unit = await readFile(join(ROOT, 'deploy', 'systemd', 'netvitals.service'), 'utf8')
const CAPABILITIES = ['BPF', 'PERFMON', 'SYS_ADMIN', 'SYS_PTRACE', 'NET_RAW', 'NET_ADMIN']
const CONNECTIONS = 25
const CONNECTS = 'container.net.tcp.successful_connects'

/** Connects to itself, so that both ends are its own, then stays. One line, because it stands in a unit. */
function workload(connections: number, { held }: { readonly held: boolean }): string {
  return [
    "const net = require('node:net');",
    `const serve = (socket) => ${held ? 'socket.resume()' : "socket.end('hello')"};`,
    "const server = net.createServer(serve).listen(0, '127.0.0.1', async () => {",
    "const connect = () => net.connect(server.address().port, '127.0.0.1').resume();",
    `for (let n = 0; n < ${connections}; n++)`,
    `await new Promise((done) => connect().on('${held ? 'connect' : 'close'}', done));`,
    "console.log('done') });",
  ].join(' ')
}

function setting(name: string): string[] {
  const lines = unit.split('\n').filter((line) => line.startsWith(`${name}=`))
  return lines.flatMap((line) => line.slice(name.length + 1).split(' '))
}

/** The sum of a metric over both directions, once each of them is `each`. */
async function bothWays(collector: Collector, name: string, each: number, having: Values): Promise<Point[]> {
  return eventually(`${name} is ${each} in each direction`, async () => {
    const points = await latest(collector)
    const ways = ['outbound', 'inbound'].map((direction) => total(points, name, { ...having, direction }))
    return ways.every((value) => value === each) ? points : undefined
  })
}

describe('deploy/systemd/netvitals.service', () => {
  it('asks for these capabilities and no others', () => {
    const expected = CAPABILITIES.map((name) => `CAP_${name}`)
    assert.deepEqual(setting('AmbientCapabilities'), expected)
    assert.deepEqual(setting('CapabilityBoundingSet'), expected)
  })

  it('passes systemd-analyze verify', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'netvitals-unit-'))
    try {
      // Verify wants the program to be there, and this test doesn't want to be where packages install.
      const file = join(directory, 'netvitals.service')
      await writeFile(file, unit.replace('ExecStart=/usr/bin/netvitals', `ExecStart=${process.execPath}`))
      const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', file])
      assert.equal(stdout + stderr, '')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      t.skip('systemd-analyze is not installed')
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })
})

const built = await buildCollector()
const binary = built.path ?? ''

describe('netvitals under systemd', { skip: built.skip ?? (await noSystemd()) ?? false }, () => {
  it('runs as its unit says, tells services apart, enters their namespaces and ends well when it is stopped', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'netvitals-unit-'))
    const logFile = join(directory, 'stderr')
    const before = join(directory, 'before')
    await using collector = await startCollector({ binary })
    await using systemd = await startSystemd({
      'netvitals.service': unit,
      'netvitals.service.d/test.conf': dropIn(collector.endpoint, logFile),
      'shop.service': service(workload(CONNECTIONS, { held: false })),
      // Alone in a network namespace, with connections from before the start: only the snapshot finds them.
      'before.service': `${service(workload(3, { held: true }))}PrivateNetwork=yes\nStandardOutput=append:${before}\n`,
    })
    try {
      assert.equal((await systemd.systemctl('start', 'before.service')).code, 0)
      await eventually('three connections', async () => (await readFile(before, 'utf8')).includes('done') || undefined)
      assert.deepEqual(await systemd.systemctl('start', 'netvitals.service'), { code: 0, output: '' })
      await eventually('netvitals sends', async () => (await collector.lines()).length > 0 || undefined)
      assert.equal((await systemd.systemctl('start', 'shop.service')).code, 0)

      const shop = await bothWays(collector, CONNECTS, CONNECTIONS, { 'systemd.unit': 'shop.service' })
      assert.ok(shop.some(({ resource }) => resource['service.name'] === 'shop'))
      const held = { 'systemd.unit': 'before.service' }
      const points = await bothWays(collector, 'container.net.tcp.active_connections', 3, held)
      assert.equal(total(points, CONNECTS, held), 0)

      assert.deepEqual(await systemd.systemctl('reload', 'netvitals.service'), { code: 0, output: '' })
      await eventually('the reload', async () => (await readFile(logFile, 'utf8')).includes(RELOADED) || undefined)

      const stopping = Date.now()
      assert.equal((await systemd.systemctl('stop', 'netvitals.service')).code, 0)
      assert.ok(Date.now() - stopping < 5_000, `${Date.now() - stopping} ms to stop`)
      assert.equal(await systemd.property('netvitals.service', 'Result'), 'success')
      assert.equal(await systemd.property('netvitals.service', 'ExecMainStatus'), '0')
    } finally {
      const log = await readFile(logFile, 'utf8').catch(() => '')
      await rm(directory, { recursive: true, force: true })
      assert.doesNotMatch(log, STACK_TRACE)
      assert.doesNotMatch(log, /\t(error|fatal)\t/)
    }
  })
})

describe('netvitals with just these capabilities', { skip: built.skip ?? notRoot() ?? false }, () => {
  it('traces and delivers, as a user without any other right', async () => {
    const capabilities = CAPABILITIES.map((name) => `+${name.toLowerCase()}`).join()
    await using collector = await startCollector({ binary })
    await using program = startProgram(
      [
        '--config',
        join(ROOT, 'otel-config', 'netvitals.yaml'),
        '--config',
        'yaml:receivers::netvitals::collection_interval: 1s',
      ],
      {
        env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
        nobody: [
          ...['--no-new-privs', `--inh-caps=-all,${capabilities}`, `--ambient-caps=-all,${capabilities}`],
          `--bounding-set=-all,${capabilities}`,
        ],
      },
    )
    await firstData(program, collector)
    await run(process.execPath, ['-e', `${workload(CONNECTIONS, { held: false })} setTimeout(process.exit, 1000)`])
    await eventually('the connects of the workload', async () => {
      const connects = total(await latest(collector), CONNECTS, { direction: 'outbound' })
      // The rest of this host connects too.
      return connects >= CONNECTIONS || undefined
    })
    const { code } = await program.stop()
    assert.equal(code, 0)
    assert.doesNotMatch(program.stderr(), STACK_TRACE)
    assert.doesNotMatch(program.stderr(), /\t(error|fatal)\t/)
  })
})

function notRoot(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'needs root, to give up all rights but a few'
}

/** This clone in the place of an installed package, wherever it stands: the unit's user may not look into homes. */
function dropIn(endpoint: string, logFile: string): string {
  const app = '/run/netvitals-app'
  const node = '/run/netvitals-node'
  const [, ...args] = commandLine('--config', join(ROOT, 'otel-config', 'netvitals.yaml'))
  const command = [node, ...args.map((arg) => arg.replace(ROOT, app))]
  command.push('--config', '"yaml:receivers::netvitals::collection_interval: 1s"')
  return `[Unit]
DefaultDependencies=no

[Service]
ExecStart=
ExecStart=${command.join(' ')}
Environment=OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint} NO_COLOR=1
BindReadOnlyPaths=${ROOT}:${app} ${process.execPath}:${node}
StandardError=append:${logFile}
`
}

function service(script: string): string {
  return `[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=${process.execPath} -e ${quoted(script)}\n`
}

function quoted(script: string): string {
  return `"${script.replaceAll('"', '\\"').replaceAll('$', '$$$$')}"`
}
