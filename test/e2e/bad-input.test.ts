import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Child, eventually } from './child.ts'
import { inline, ready, STACK_TRACE, startProgram } from './program.ts'

/** Enough to run without sending anything anywhere; the interval is the shortest that shows data soon. */
const DEBUG = inline({
  receivers: { netvitals: { collection_interval: '1s' } },
  exporters: { debug: {} },
  service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['debug'] } } },
})
const notRoot = process.getuid?.() === 0 ? false : 'needs root, to take rights away one by one'

/** Root without these. */
function allBut(...names: string[]): string[] {
  const less = names.map((name) => `-${name}`).join()
  return ['setpriv', `--bounding-set=${less}`, `--inh-caps=${less}`, '--pdeathsig=KILL']
}

/** In a mount namespace of its own, with this done first. */
function after(command: string): string[] {
  return ['unshare', '--mount', '--propagation=private', 'sh', '-ec', `${command}; exec "$@"`, 'sh']
}

/** It ended by itself with code 1, after just this. */
async function refuses(program: Child, pattern: RegExp): Promise<void> {
  await eventually('it ends by itself', () => !program.running() || undefined)
  const { code, signal } = await program.exit
  assert.match(program.stderr(), pattern)
  assert.doesNotMatch(program.stdout() + program.stderr(), STACK_TRACE)
  assert.deepEqual({ code, signal }, { code: 1, signal: null })
}

/** It said what is down, data still flow, and it ends well when asked to. */
async function degrades(program: Child, pattern: RegExp): Promise<void> {
  await ready(program)
  await program.output(pattern)
  await runs(program)
}

async function runs(program: Child): Promise<void> {
  // The debug exporter shows every batch.
  await program.output(/resource metrics/)
  assert.equal((await program.stop()).code, 0)
  assert.doesNotMatch(program.stdout() + program.stderr(), STACK_TRACE)
}

describe('what this machine withholds', { skip: notRoot, concurrency: 2 }, () => {
  it('not root: which rights it takes', async () => {
    await using program = startProgram(['--config', DEBUG], { nobody: [] })
    await refuses(program, /run as root.*CAP_BPF.*CAP_PERFMON/)
  })

  // In the kernel SYS_ADMIN stands for each of these two: it has to be gone too for them to be missed.
  for (const capability of ['bpf', 'perfmon']) {
    it(`cap_${capability} missing: nothing can be traced, and how to get it`, async () => {
      await using program = startProgram(['--config', DEBUG], { wrap: allBut(capability, 'sys_admin') })
      await refuses(program, new RegExp(`run as root.*CAP_${capability.toUpperCase()}`))
    })
  }

  for (const capability of ['sys_admin', 'sys_ptrace']) {
    it(`cap_${capability} missing: what is down, and the rest runs`, async () => {
      await using program = startProgram(['--config', DEBUG], { wrap: allBut(capability) })
      await degrades(program, new RegExp(`snapshot.*CAP_${capability.toUpperCase()}`))
    })
  }

  for (const [capability, part] of [
    ['net_raw', 'probes'],
    ['net_admin', 'translation'],
  ] as const) {
    it(`cap_${capability} missing: ${part} alone is down, and the rest runs`, async () => {
      await using program = startProgram(['--config', DEBUG], { wrap: allBut(capability) })
      await degrades(program, new RegExp(`${part} is down.*CAP_${capability.toUpperCase()}`))
      assert.equal(program.stderr().match(/ is down/g)?.length, 1, program.stderr())
    })
  }

  for (const capability of ['bpf', 'perfmon']) {
    it(`cap_${capability} alone missing: it runs`, async () => {
      await using program = startProgram(['--config', DEBUG], { wrap: allBut(capability) })
      await runs(program)
    })
  }

  it('no BTF: what the kernel lacks and which have it', async () => {
    const wrap = after('mount -t tmpfs none /sys/kernel/btf')
    await using program = startProgram(['--config', DEBUG], { wrap })
    await refuses(program, /BTF.*CONFIG_DEBUG_INFO_BTF/)
  })

  it('/proc hides other processes: what is down, and the rest runs', async () => {
    const hidden = after('mount -t proc -o hidepid=2 proc /proc')
    await using program = startProgram(['--config', DEBUG], { wrap: [...hidden, ...allBut('sys_ptrace')] })
    await degrades(program, /snapshot.*\/proc/)
  })

  it('/proc is not there: what is down, and the rest runs', async () => {
    await using program = startProgram(['--config', DEBUG], { wrap: after('mount -t tmpfs none /proc') })
    await degrades(program, /containers is down.*\/proc.*ENOENT/)
    assert.match(program.stderr(), /probes is down.*nothing is pinged: .*\/proc/)
    assert.match(program.stderr(), /translation is down.*who answers.*\/proc/)
  })

  it('no cgroup v2: everything counts as of the host, and how to get it', async () => {
    const wrap = after('umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup')
    await using program = startProgram(['--config', DEBUG], { wrap })
    await degrades(program, /containers.*cgroup2.*mount/)
  })
})

describe('a configuration with a mistake', { concurrency: 2 }, () => {
  const pipeline = { metrics: { receivers: ['netvitals'], exporters: ['debug'] } }
  const right = { receivers: { netvitals: {} }, exporters: { debug: {} }, service: { pipelines: pipeline } }

  for (const [fault, config, message] of [
    [
      'a ring that is not a power of two',
      receiver({ kernel: { ring_size: 3_000_000 } }),
      /netvitals[\s\S]*ring_size.*power of two[\s\S]*2MiB or 4MiB/,
    ],
    ['a bound that is not a number', receiver({ kernel: { max_sockets: 'many' } }), /netvitals[\s\S]*max_sockets/],
    ['an interval without a unit', receiver({ collection_interval: 'soon' }), /netvitals[\s\S]*collection_interval/],
    ['an unknown key', receiver({ colection_interval: '10s' }), /colection_interval/],
    ['an unknown section', { ...right, recievers: {} }, /recievers/],
    ['an unknown component', { ...right, exporters: { debug: {}, otlp_carrier_pigeon: {} } }, /otlp_carrier_pigeon/],
    ['a reference to nothing', { ...right, exporters: { 'debug/other': {} } }, /exporters?.*debug/],
    ['no pipeline', { ...right, service: { pipelines: {} } }, /pipeline/],
    ['a list where a map belongs', { ...right, receivers: [] }, /receivers/],
    [
      'an endpoint without a port',
      {
        ...right,
        exporters: { otlp_grpc: { endpoint: 'collector' } },
        service: { pipelines: { metrics: { receivers: ['netvitals'], exporters: ['otlp_grpc'] } } },
      },
      /otlp_grpc.*port/,
    ],
  ] as const) {
    it(`${fault}: exit 1 and the key's path`, async () => {
      await using program = startProgram(['--config', inline(config)])
      await refuses(program, message)
    })
  }

  it('shows every mistake, not the first alone', async () => {
    const config = receiver({ colection_interval: '10s', limitz: 1 })
    await using program = startProgram(['--config', inline(config)])
    await refuses(program, /colection_interval[\s\S]*limitz|limitz[\s\S]*colection_interval/)
  })

  for (const [fault, uri, message] of [
    ['a file that is not there', '/nowhere/netvitals.yaml', /\/nowhere\/netvitals\.yaml/],
    ['a directory in the place of a file', import.meta.dirname, /e2e.*(EISDIR|directory)/i],
    ['text that is no YAML', 'yaml:receivers: [', /yaml/i],
    ['a scheme that nobody knows', 'gopher://example.org/x', /gopher/],
  ] as const) {
    it(`${fault}: exit 1 and its name`, async () => {
      await using program = startProgram(['--config', uri])
      await refuses(program, message)
    })
  }

  it('an unknown flag and an unknown command: exit 1 and its name', async () => {
    for (const [args, message] of [
      [['--confg', 'x'], /confg/],
      [['rnu'], /rnu/],
    ] as const) {
      await using program = startProgram(args)
      await refuses(program, message)
    }
  })

  function receiver(settings: Readonly<Record<string, unknown>>) {
    return { ...right, receivers: { netvitals: settings } }
  }
})
