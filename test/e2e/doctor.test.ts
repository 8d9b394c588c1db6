import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Finding } from '../../src/commands/doctor/finding.ts'
import { startMetricsServer } from '../exporters/metrics-server.ts'
import { agentUnavailable } from '../kernel/agent.ts'
import { assertGolden } from '../support/golden.ts'
import { inline, STACK_TRACE, startProgram } from './program.ts'

const SECRET = 's3cret-that-nobody-may-see'

interface Report {
  readonly status: string
  readonly checks: readonly Finding[]
}

async function examine(args: readonly string[], wrap: readonly string[] = []) {
  await using program = startProgram(['doctor', '-o', 'json', ...args], { wrap })
  const { code } = await program.exit
  assert.doesNotMatch(program.stdout() + program.stderr(), STACK_TRACE)
  assert.equal(program.stderr(), '')
  const report: Report = JSON.parse(program.stdout())
  const of = (check: string) => report.checks.find((each) => each.check === check)
  return { code, report, of, text: program.stdout() }
}

/** Root without these. */
function allBut(...names: string[]): string[] {
  const less = names.map((name) => `-${name}`).join()
  return ['setpriv', `--bounding-set=${less}`, `--inh-caps=${less}`, '--pdeathsig=KILL']
}

/** In a mount namespace of its own, with this done first. */
function after(command: string): string[] {
  return ['unshare', '--mount', '--propagation=private', 'sh', '-ec', `${command}; exec "$@"`, 'sh']
}

function exporting(exporters: Record<string, unknown>): string {
  return inline({
    receivers: { netvitals: {} },
    exporters,
    service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: Object.keys(exporters) } } },
  })
}

/** Facts of this machine do not belong into a golden file: which runtimes it has, and numbers of any kind. */
function normalised(text: string): string {
  const { checks, ...rest } = JSON.parse(text) as Report & Record<string, unknown>
  const machine = (check: string) => /^(runtimes?|conntrack|ping|CAP_SYS_RESOURCE|cgroups)\b/.test(check)
  const kept = checks.filter(({ check }) => !machine(check)).map((each) => ({ ...each, found: plain(each.found) }))
  const machines = new Set(checks.flatMap(({ check }) => (machine(check) ? [check.split(' ')[0]] : [])))
  const subject = Object.fromEntries(Object.keys(rest).map((key) => [key, key === 'status' ? 'STATUS' : 'FACT']))
  return `${JSON.stringify({ ...subject, checks: kept, machine: [...machines].sort() }, undefined, 2)}\n`
}

const plain = (found: string): string => found.replace(/^\d+\.\d+\.\S*$/, 'KERNEL').replace(/\d+/g, '#')

describe('netvitals doctor', { skip: agentUnavailable() ?? false }, () => {
  it('finds all that this machine has', async () => {
    const { code, report, text } = await examine([])
    const missing = report.checks.filter(({ status }) => status === 'degraded' || status === 'unusable')
    assert.equal(code, { ok: 0, unusable: 1, degraded: 2 }[report.status])
    assert.equal(code === 0, missing.length === 0)
    assertGolden(
      new URL('testdata/doctor.json.txt', import.meta.url),
      normalised(text).replace(/"runtimes?"/, '"runtimes"'),
    )
  })

  it('prints a table at 80 columns', async () => {
    await using program = startProgram(['doctor'])
    const { code } = await program.exit
    assert.ok(code === 0 || code === 2, program.stderr())
    const lines = program.stdout().split('\n')
    assert.ok(lines.length > 20 && lines.every((line) => line.length <= 80), program.stdout())
    assert.match(program.stdout(), /Exit code \d\.\n$/)
  })

  for (const [capability, check, status, code] of [
    ['sys_ptrace', 'CAP_SYS_PTRACE', 'degraded', 2],
    ['net_raw', 'CAP_NET_RAW', 'degraded', 2],
    ['net_admin', 'CAP_NET_ADMIN', 'degraded', 2],
  ] as const) {
    it(`without ${check}: says what it costs, exits ${code}`, async () => {
      const { of, code: exit, report } = await examine([], allBut(capability))
      assert.equal(exit, code)
      assert.equal(report.status, status)
      assert.equal(of(check)?.status, status)
      assert.ok(of(check)?.costs && of(check)?.fix)
    })
  }

  it('without the right to trace: nothing runs, exits 1', async () => {
    const { code, of } = await examine([], allBut('bpf', 'sys_admin'))
    assert.equal(code, 1)
    assert.equal(of('CAP_BPF')?.status, 'unusable')
    assert.match(of('eBPF programs')?.found ?? '', /CAP_BPF/)
    assert.match(of('eBPF programs')?.fix ?? '', /run as root/)
  })

  it('without entering namespaces: which are missing', async () => {
    const { code, of } = await examine([], allBut('sys_admin'))
    assert.equal(code, 2)
    assert.equal(of('namespaces')?.status, 'degraded')
    assert.match(of('namespaces')?.fix ?? '', /CAP_SYS_ADMIN/)
  })

  it('without BTF: nothing runs, exits 1', async () => {
    const { code, of } = await examine([], after('mount -t tmpfs none /sys/kernel/btf'))
    assert.equal(code, 1)
    assert.equal(of('BTF')?.status, 'unusable')
  })

  it('without cgroup v2: degraded', async () => {
    const { code, of } = await examine([], after('umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup'))
    assert.equal(code, 2)
    assert.match(of('cgroups')?.fix ?? '', /cgroup2/)
  })

  it('with --config asks each exporter, with its headers and without telling them', async () => {
    const backend = await startMetricsServer()
    try {
      const headers = { authorization: `Bearer ${SECRET}` }
      const tls = { insecure: true }
      const config = exporting({
        otlp_grpc: { endpoint: backend.endpoint, tls, headers },
        'otlp_grpc/refused': { endpoint: '127.0.0.1:1', tls, headers },
        'otlp_grpc/tls': { endpoint: backend.endpoint, headers },
        debug: {},
      })
      const { code, of, text } = await examine(['--config', config])
      assert.equal(of('exporter otlp_grpc')?.status, 'ok', text)
      assert.equal(backend.requests.length, 1)
      assert.equal(backend.requests[0]!.bytes.length, 0)
      assert.equal(backend.requests[0]!.metadata.get('authorization')[0], `Bearer ${SECRET}`)
      assert.match(of('exporter otlp_grpc/refused')?.found ?? '', /127\.0\.0\.1:1: .*ECONNREFUSED/)
      assert.equal(of('exporter otlp_grpc/tls')?.status, 'degraded')
      assert.equal(of('exporter debug')?.status, 'skipped')
      assert.equal(code, 2)
      assert.ok(!text.includes(SECRET))
    } finally {
      backend.stop()
    }
  })

  it('with a wrong configuration: which key, exits 1', async () => {
    const { code, of } = await examine(['--config', exporting({ otlp_grpc: { endpoint: 'x:1', tiemout: '1s' } })])
    assert.equal(code, 1)
    assert.equal(of('configuration')?.status, 'unusable')
    assert.match(of('configuration')?.found ?? '', /tiemout/)
  })
})
