import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { checkCapabilities } from '../../src/commands/doctor/capabilities.ts'
import { endpointOf } from '../../src/commands/doctor/exporters.ts'
import { type Finding, overall } from '../../src/commands/doctor/finding.ts'
import { checkCgroups, checkRuntimes, layoutOf } from '../../src/commands/doctor/host.ts'
import { checkKernel } from '../../src/commands/doctor/kernel.ts'
import { reportAsTable } from '../../src/commands/doctor/report.ts'
import { assertGolden } from '../support/golden.ts'

const SUBJECT = { version: '1.2.3', node: '24.0.0', kernel: '6.1.0', architecture: 'x64' }
const FINDINGS: Finding[] = [
  { check: 'kernel', status: 'ok', found: '6.1.0' },
  {
    check: 'CAP_NET_RAW',
    status: 'degraded',
    found: 'missing',
    costs: 'nothing is pinged',
    fix: 'run as root, or grant it (systemd: AmbientCapabilities=, Kubernetes: capabilities.add)',
  },
  { check: 'runtimes', status: 'skipped', found: 'none found: containers are told apart by their cgroups' },
  {
    check: 'BTF',
    status: 'unusable',
    found: `/sys/kernel/btf/vmlinux is not there ${'x'.repeat(90)}`,
    costs: 'nothing can be traced',
  },
]

describe("the doctor's table", () => {
  for (const [name, unicode, color] of [
    ['unicode', true, false],
    ['ascii', false, false],
    ['color', true, true],
  ] as const) {
    it(`fits 80 columns, ${name}`, () => {
      const text = reportAsTable(SUBJECT, FINDINGS, { width: 80, unicode, color })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours have no width
      for (const line of text.replace(/\x1b\[[\d;]*m/g, '').split('\n')) assert.ok(line.length <= 80, line)
      assertGolden(new URL(`testdata/doctor-${name}.txt`, import.meta.url), text)
    })
  }

  it('ends with the worst of all, which is the exit code too', () => {
    assert.equal(overall(FINDINGS), 'unusable')
    assert.equal(overall(FINDINGS.slice(0, 3)), 'degraded')
    assert.equal(overall([FINDINGS[0]!, FINDINGS[2]!]), 'ok')
  })
})

describe('what the doctor looks at', () => {
  it('is whether the kernel is new enough', () => {
    for (const [kernel, status] of [
      ['5.9.16-generic', 'unusable'],
      ['4.19.0', 'unusable'],
      ['5.10.0-39-amd64', 'ok'],
      ['6.1.0', 'ok'],
    ] as const)
      assert.equal(checkKernel(kernel)[0]!.status, status, kernel)
  })

  it('is each capability and what it buys', () => {
    const directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
    const statuses = (effective: bigint, kernel = '6.1.0') => {
      const path = join(directory, 'status')
      writeFileSync(path, `CapEff:\t${effective.toString(16).padStart(16, '0')}\n`)
      return Object.fromEntries(checkCapabilities(path, kernel).map(({ check, status }) => [check, status]))
    }
    try {
      const [admin, bpf, perfmon] = [1n << 21n, 1n << 39n, 1n << 38n]
      assert.deepEqual(statuses(0n), {
        CAP_BPF: 'unusable',
        CAP_PERFMON: 'unusable',
        CAP_SYS_ADMIN: 'degraded',
        CAP_SYS_PTRACE: 'degraded',
        CAP_NET_RAW: 'degraded',
        CAP_NET_ADMIN: 'degraded',
        CAP_SYS_RESOURCE: 'skipped',
      })
      assert.equal(statuses(bpf | perfmon).CAP_BPF, 'ok')
      assert.equal(statuses(bpf).CAP_PERFMON, 'unusable')
      assert.equal(statuses(admin).CAP_PERFMON, 'ok')
      assert.equal(statuses(admin, '5.10.0').CAP_SYS_RESOURCE, 'degraded')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('is the layout of the cgroup hierarchies', () => {
    const v1 = '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu'
    const v2 = '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw'
    const other = '23 28 0:22 / /proc rw - proc proc rw'
    assert.equal(layoutOf(`${other}\n${v1}\n${v2}\n`), 'hybrid (v1 and v2)')
    assert.equal(layoutOf(`${other}\n${v2}\n`), 'v2')
    assert.equal(layoutOf(`${other}\n${v1}\n`), 'v1')
    assert.equal(layoutOf(other), 'none')
  })

  it('is containers::cgroup_root where it is set', () => {
    assert.deepEqual(checkCgroups('/tmp'), {
      check: 'cgroups',
      status: 'degraded',
      costs: 'everything counts as of the host',
      found: '/tmp is no cgroup2 file system',
      fix: 'correct containers::cgroup_root',
    })
  })

  it("is the runtimes' sockets, and whether somebody listens", async () => {
    const directory = mkdtempSync(join(tmpdir(), 'netvitals-'))
    const [alive, deaf, absent] = ['alive', 'deaf', 'absent'].map((name) => join(directory, name))
    const server = createServer().listen(alive)
    await once(server, 'listening')
    try {
      writeFileSync(deaf!, '')
      const findings = await checkRuntimes([
        ['docker', alive!],
        ['podman', deaf!],
        ['cri-o', absent!],
      ])
      assert.deepEqual(
        findings.map(({ check, status, found }) => [check, status, found]),
        [
          ['runtime docker', 'ok', alive],
          ['runtime podman', 'degraded', `${deaf}: ECONNREFUSED`],
        ],
      )
      assert.equal((await checkRuntimes([['cri-o', absent!]]))[0]!.status, 'skipped')
    } finally {
      server.close()
      rmSync(directory, { recursive: true })
    }
  })

  it('shows of an endpoint what is no secret', () => {
    for (const [endpoint, shown] of [
      ['collector:4317', 'collector:4317'],
      ['https://user:s3cret@example.org/otlp?token=s3cret#x', 'https://example.org/otlp'],
      ['https://example.org', 'https://example.org'],
    ] as const)
      assert.equal(endpointOf({ endpoint }), shown)
    assert.equal(endpointOf({ endpoint: 'a', metrics_endpoint: 'http://b/v1/metrics' }), 'http://b/v1/metrics')
  })
})
