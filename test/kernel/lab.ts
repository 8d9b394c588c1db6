import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Hosts and containers for tests, made of the kernel's own parts: network namespaces on one Ethernet segment,
 * and cgroups named as container runtimes name theirs. Everything goes when the lab closes or the process ends.
 */
export interface Lab {
  readonly namespaces: readonly Namespace[]
  /** The namespace that the test itself runs in: what a host-network container sees. */
  readonly host: Namespace
  container(layout: ContainerLayout): Container
  /** Starts a program in a namespace and a container; its standard input closing should end it. */
  spawn(namespace: Namespace, container: Container, argv: readonly string[]): ChildProcess
  close(): Promise<void>
}

export interface Namespace {
  readonly name: string
  /** For setns(2), e.g. `/run/netns/nv-4711-1-0`. */
  readonly path: string
  readonly ipv4: string
  readonly ipv6: string
  /** Runs a command inside and returns its output. Throws with the command's own message. */
  run(argv: readonly string[], input?: string): string
  /** A sysctl of the namespace. One that this kernel lacks is left alone when `optional`. */
  sysctl(name: string, value: string | number, options?: { optional: boolean }): void
  /** Replaces what the firewall does with packets; rules in nft's words, e.g. `tcp dport 80 drop`. None: nothing. */
  filter(rules: { readonly input?: readonly string[]; readonly output?: readonly string[] }): void
}

/** `manager`: no container's, but where a systemd is that manages services: `…/init.scope`. */
export type ContainerLayout = 'docker' | 'kubepods' | 'manager'

export interface Container {
  readonly id: string
  /** From the root of the cgroup2 hierarchy, as /proc/<pid>/cgroup has it. */
  readonly cgroup: string
  readonly directory: string
  /** The cgroup2 id: the directory's inode. */
  readonly cgroupId: bigint
}

const live = new Set<() => void>()
process.on('exit', () => {
  for (const close of live) close()
})
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const close of live) close()
    process.kill(process.pid, signal)
  })

/** Why no lab can be made here, or undefined: the reason for a test to be skipped. */
export function labUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root (network namespaces and cgroups)'
  if (!cgroup2Mount()) return 'needs a cgroup2 mount'
  for (const program of ['ip', 'nsenter', 'nft', 'ss', 'clang'])
    if (!onPath(program)) return `needs the program ${program}`
  return undefined
}

export function createLab(options: { readonly namespaces: number }): Lab {
  sweep()
  const names: string[] = []
  const children = new Set<ChildProcess>()
  const directories: string[] = []
  const prefix = `nv-${process.pid}-${++labs}`

  let namespaces: Namespace[]
  live.add(closeNow)
  try {
    for (let i = 0; i < options.namespaces; i++) addNamespace(`${prefix}-${i}`)
    if (options.namespaces === 2) joinTwo()
    else if (options.namespaces > 2) joinByBridge()
    const joined = options.namespaces > 1
    namespaces = names.slice(0, options.namespaces).map((name, i) => (joined ? addressed(name, i) : alone(name)))
  } catch (error) {
    closeNow()
    throw error
  }
  return { namespaces, host: hostNamespace(), container, spawn: spawnIn, close }

  function addNamespace(name: string): void {
    ip(['netns', 'add', name])
    names.push(name)
    ip(['-n', name, 'link', 'set', 'lo', 'up'])
  }

  function joinTwo(): void {
    ip(['link', 'add', 'eth0', 'netns', names[0]!, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', names[1]!])
  }

  function joinByBridge(): void {
    const bridge = `${prefix}-br`
    const members = [...names]
    addNamespace(bridge)
    ip(['-n', bridge, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0'])
    ip(['-n', bridge, 'link', 'set', 'br0', 'up'])
    members.forEach((name, i) => {
      ip(['link', 'add', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', `port${i}`, 'netns', bridge])
      ip(['-n', bridge, 'link', 'set', `port${i}`, 'master', 'br0', 'up'])
    })
  }

  function container(layout: ContainerLayout): Container {
    const id = `${idPrefix(process.pid)}${randomBytes(26).toString('hex')}`
    const cgroup = {
      docker: `/docker/${id}`,
      kubepods: `/kubepods/burstable/pod${randomUUID()}/${id}`,
      manager: `/nv-${id.slice(0, 24)}.slice/init.scope`,
    }[layout]
    const directory = join(cgroup2Mount()!, cgroup)
    for (const missing of missingParents(directory)) {
      mkdirSync(missing)
      directories.push(missing)
    }
    return { id, cgroup, directory, cgroupId: statSync(directory, { bigint: true }).ino }
  }

  function spawnIn(namespace: Namespace, inside: Container, argv: readonly string[]): ChildProcess {
    const join = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
    const enter = ['nsenter', `--net=${namespace.path}`, '--', ...argv]
    const child = spawn('sh', ['-c', join, inside.directory, ...enter], { stdio: ['pipe', 'pipe', 'inherit'] })
    children.add(child)
    child.once('exit', () => children.delete(child))
    return child
  }

  async function close(): Promise<void> {
    for (const child of children) child.stdin?.end()
    for (let waited = 0; children.size > 0 && waited < 2000; waited += 20) await sleep(20)
    closeNow()
  }

  function closeNow(): void {
    live.delete(closeNow)
    for (const child of children) child.kill('SIGKILL')
    for (const directory of directories.splice(0).reverse()) removeCgroup(directory)
    for (const name of names.splice(0)) attempt(() => ip(['netns', 'del', name]))
  }
}

let labs = 0

/** Says whose a container is: 64 digits as any other id has. */
const idPrefix = (pid: number) => `6e76${pid.toString(16).padStart(8, '0')}`

/** What a test process that was killed could not clean up. */
function sweep(): void {
  const gone = (pid: number) => !existsSync(`/proc/${pid}`)
  for (const name of entries('/run/netns')) {
    const [, pid] = /^nv-(\d+)-\d+-/.exec(name) ?? []
    if (pid && gone(Number(pid))) attempt(() => ip(['netns', 'del', name]))
  }
  const root = cgroup2Mount()
  if (!root) return
  for (const name of entries(root)) {
    const [, pid] = /^nv-6e76([0-9a-f]{8})[0-9a-f]{12}\.slice$/.exec(name) ?? []
    if (!pid || !gone(Number.parseInt(pid, 16))) continue
    removeCgroup(join(root, name, 'init.scope'))
    removeCgroup(join(root, name))
  }
  const pods = entries(join(root, 'kubepods/burstable')).map((pod) => join(root, 'kubepods/burstable', pod))
  for (const parent of [join(root, 'docker'), ...pods])
    for (const id of entries(parent)) {
      const [, pid] = /^6e76([0-9a-f]{8})[0-9a-f]{52}$/.exec(id) ?? []
      if (!pid || !gone(Number.parseInt(pid, 16))) continue
      removeCgroup(join(parent, id))
      if (pods.includes(parent)) removeCgroup(parent)
    }
}

function entries(directory: string): string[] {
  return existsSync(directory) && statSync(directory).isDirectory() ? readdirSync(directory) : []
}

function alone(name: string): Namespace {
  return enterable(name, `/run/netns/${name}`, '127.0.0.1', '::1')
}

function addressed(name: string, index: number): Namespace {
  const ipv4 = `10.213.0.${index + 1}`
  const ipv6 = `fd6e:7600::${index + 1}`
  const namespace = enterable(name, `/run/netns/${name}`, ipv4, ipv6)
  // Only the addresses given here, at once: duplicate address detection takes a second.
  for (const key of ['accept_dad', 'dad_transmits', 'autoconf', 'accept_ra'])
    namespace.sysctl(`net.ipv6.conf.eth0.${key}`, 0, { optional: true })
  ip(['-n', name, 'link', 'set', 'eth0', 'addrgenmode', 'none'])
  ip(['-n', name, 'link', 'set', 'eth0', 'up'])
  ip(['-n', name, 'addr', 'add', `${ipv4}/24`, 'dev', 'eth0'])
  ip(['-n', name, 'addr', 'add', `${ipv6}/64`, 'dev', 'eth0', 'nodad'])
  return namespace
}

function hostNamespace(): Namespace {
  return enterable('host', '/proc/self/ns/net', '127.0.0.1', '::1')
}

function enterable(name: string, path: string, ipv4: string, ipv6: string): Namespace {
  return { name, path, ipv4, ipv6, run, sysctl, filter }

  function run(argv: readonly string[], input?: string): string {
    return execFileSync('nsenter', [`--net=${path}`, '--', ...argv], {
      encoding: 'utf8',
      timeout: 20_000,
      maxBuffer: 64 * 1024 * 1024,
      ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] } : { input, stdio: 'pipe' }),
    })
  }

  function sysctl(key: string, value: string | number, options = { optional: false }): void {
    // /proc/sys/net, like /proc/net, shows the namespace of the process that reads it.
    const file = `/proc/sys/${key.replaceAll('.', '/')}`
    const test = options.optional ? '[ ! -e "$1" ] || ' : ''
    run(['sh', '-c', `${test}printf %s "$0" > "$1"`, String(value), file])
  }

  function filter(rules: { readonly input?: readonly string[]; readonly output?: readonly string[] }): void {
    const chain = (hook: string, lines: readonly string[] = []) =>
      `chain ${hook} {\ntype filter hook ${hook} priority 0; policy accept;\n${lines.join('\n')}\n}\n`
    const table = `table inet netvitals_test {\n${chain('input', rules.input)}${chain('output', rules.output)}}\n`
    run(['nft', '-f', '-'], `table inet netvitals_test\ndelete table inet netvitals_test\n${table}`)
  }
}

/** Where the cgroup2 hierarchy is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a hybrid host. */
export function cgroup2Mount(): string | undefined {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount, source] = line.split(' - ')
    if (source?.startsWith('cgroup2 ')) return mount!.split(' ')[4]
  }
  return undefined
}

function missingParents(directory: string): string[] {
  const missing: string[] = []
  for (let at = directory; !existsSync(at); at = dirname(at)) missing.unshift(at)
  return missing
}

/** A cgroup can go a moment after its last process was killed; one that others use too stays. */
function removeCgroup(directory: string): void {
  for (let tries = 0; tries < 200; tries++) {
    try {
      rmdirSync(directory)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') return
      if (readdirSync(directory, { withFileTypes: true }).some((entry) => entry.isDirectory())) return
      attempt(() => writeFileSync(join(directory, 'cgroup.kill'), '1'))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
  }
}

function ip(argv: readonly string[]): void {
  execFileSync('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 })
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, program)))
}

function attempt(action: () => void): void {
  try {
    action()
  } catch {}
}
