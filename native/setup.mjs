// Makes a clone ready to run: sees what is missing or stale, gets or builds it, says so in one line a step.
// Plain JavaScript that runs on the machine's own Node (20 or newer) before anything is installed.
//
//   node native/setup.mjs run|test|containers|kubernetes|asan|experiment|bench
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
process.chdir(root)
process.env.PATH = [process.env.PATH, '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter)

const say = (text) => process.stderr.write(`netvitals setup: ${text}\n`)

function fail(text) {
  say(text)
  process.exit(1)
}

const inPath = (command) => process.env.PATH.split(delimiter).some((dir) => existsSync(join(dir, command)))
const works = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
const header = (name) => existsSync(join('/usr/include', name))

/** bpftool is its own package on Debian, and stands in the tools of each kernel on Ubuntu. */
function bpftool() {
  if (works('bpftool', 'version')) return 'bpftool'
  const tools = '/usr/lib/linux-tools'
  const found = existsSync(tools) && readdirSync(tools).map((version) => join(tools, version, 'bpftool'))
  return (found || []).filter(existsSync).at(-1)
}

/** What an addon built with -fsanitize=address is run under. */
function asanRuntime() {
  const arch = { x64: 'x86_64', arm64: 'aarch64' }[process.arch]
  const found = spawnSync('clang', [`-print-file-name=libclang_rt.asan-${arch}.so`], { encoding: 'utf8' })
  return found.status === 0 ? found.stdout.trim() : ''
}

const needs = {
  run: [
    ['clang', () => inPath('clang') && inPath('clang++')],
    ['libbpf-dev', () => header('bpf/libbpf.h')],
    ['libelf-dev', () => header('libelf.h')],
    ['zlib1g-dev', () => header('zlib.h')],
    ['bpftool', () => bpftool() !== undefined],
  ],
  test: [
    ['iproute2', () => inPath('ip')],
    ['nftables', () => inPath('nft')],
    ['iptables', () => inPath('iptables')],
    ['iputils-ping', () => inPath('ping')],
    ['libcap2-bin', () => inPath('capsh')],
    ['openssl', () => inPath('openssl')],
    ['util-linux', () => inPath('nsenter')],
  ],
  containers: [
    ['docker.io', () => inPath('dockerd') && inPath('docker')],
    ['podman', () => inPath('podman')],
    ['containerd', () => inPath('containerd') && inPath('ctr')],
    ['runc', () => inPath('runc')],
    ['conmon', () => inPath('conmon')],
    ['busybox-static', () => existsSync('/bin/busybox') && !works('sh', '-c', 'ldd /bin/busybox')],
  ],
  asan: [['libclang-rt-dev', () => existsSync(asanRuntime())]],
  experiment: [],
  kubernetes: [
    ['containerd', () => inPath('containerd')],
    ['runc', () => inPath('runc')],
    ['containernetworking-plugins', () => existsSync('/usr/lib/cni/bridge')],
    ['busybox-static', () => existsSync('/bin/busybox') && !works('sh', '-c', 'ldd /bin/busybox')],
  ],
  bench: [['fping', () => inPath('fping')]],
}

function aptPackages(mode) {
  const lists = mode === 'run' ? [needs.run] : [needs.run, needs.test, needs[mode] === needs.test ? [] : needs[mode]]
  const missing = lists.flat().filter(([, present]) => !present())
  return missing.map(([name]) => name)
}

function isDebian() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(text) && inPath('apt-get')
}

function installPackages(mode) {
  let missing = aptPackages(mode)
  if (missing.length === 0) return
  if (!isDebian())
    fail(
      `missing: ${missing.join(' ')} (names of Debian 12); install your distribution's packages of these, then run this again`,
    )
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`
  if (process.getuid() !== 0) fail(`missing: ${missing.join(' ')}; run as root: ${command}`)
  say(`installing ${missing.join(' ')} (apt-get)`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args) => spawnSync('apt-get', args, { env, encoding: 'utf8', maxBuffer: 1 << 26 })
  apt('-qq', 'update')
  const known = (name) => works('apt-cache', 'show', name)
  // Ubuntu 24.04 has no package bpftool; from Debian 13 on Docker's client is one of its own.
  if (missing.includes('bpftool') && !known('bpftool'))
    missing = missing.map((name) => (name === 'bpftool' ? 'linux-tools-generic' : name))
  if (missing.includes('docker.io') && known('docker-cli')) missing.push('docker-cli')
  const result = withoutServices(() => apt('-qq', '-y', '--no-install-recommends', 'install', ...missing))
  if (result.status !== 0) fail(`${command} failed:\n${result.stderr || result.error}`)
  const left = aptPackages(mode)
  if (left.length > 0) fail(`still missing after apt-get: ${left.join(' ')}`)
}

/** Packages may start daemons as they are installed (Docker's changes the firewall): not on behalf of a test. */
function withoutServices(install) {
  const policy = '/usr/sbin/policy-rc.d'
  if (existsSync(policy)) return install()
  writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return install()
  } finally {
    rmSync(policy)
  }
}

const mtime = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const newest = (paths) => Math.max(...paths.map(mtime))
const filesIn = (dir, pattern) =>
  readdirSync(dir)
    .filter((name) => pattern.test(name))
    .map((name) => join(dir, name))

function installModules() {
  const node24 = join('node_modules', `node-linux-${process.arch}`, 'bin', 'node')
  if (!existsSync(node24) || mtime('node_modules/.package-lock.json') < mtime('package-lock.json')) {
    if (lstatSync('node_modules', { throwIfNoEntry: false })?.isSymbolicLink())
      fail('node_modules is a symbolic link: npm ci would empty what it points to; remove the link')
    say('installing node modules (npm ci)')
    const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { encoding: 'utf8' })
    if (result.status !== 0) fail(`npm ci failed:\n${result.stderr}`)
    if (!existsSync(node24)) fail(`npm ci brought no Node 24 for this processor (${process.arch}): expected ${node24}`)
  }
  // Node 24 first on the PATH of every npm script; npm 9 does not make this link.
  const link = join('node_modules', '.bin', 'node')
  if (!existsSync(link)) symlinkSync(join('..', '..', node24), link)
}

function run(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 })
  } catch (error) {
    return fail(`${command} ${args.join(' ')}\n${[error.stdout, error.stderr].join('').trim() || error.message}`)
  }
}

const objects = ['maps', 'connections', 'retransmits', 'sample', 'snapshot', 'holders', 'cgroups']

function buildBpf() {
  const sources = filesIn('bpf', /\.(c|h)$/)
  const skeleton = 'build/netvitals.skel.h'
  if (mtime(skeleton) > newest([...sources, 'native/setup.mjs'])) return
  say('building the eBPF programs (clang, bpftool)')
  mkdirSync('build/bpf', { recursive: true })
  const target = { x64: 'x86', arm64: 'arm64' }[process.arch]
  const multiarch = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch]
  for (const name of [...objects, 'layout'])
    run('clang', [
      ...['-g', '-O2', '-target', 'bpf', '-mcpu=v3', '-Wall', '-Werror', '-Wno-parentheses'],
      ...[`-D__TARGET_ARCH_${target}`, `-I/usr/include/${multiarch}`],
      ...['-c', `bpf/${name}.bpf.c`, '-o', `build/bpf/${name}.o`],
    ])
  run(bpftool(), ['gen', 'object', 'build/bpf/netvitals.o', ...objects.map((name) => `build/bpf/${name}.o`)])
  const text = run(bpftool(), ['gen', 'skeleton', 'build/bpf/netvitals.o', 'name', 'netvitals'])
  execFileSync('tee', [`${skeleton}.new`], { input: text, stdio: ['pipe', 'ignore', 'inherit'] })
  renameSync(`${skeleton}.new`, skeleton)
}

/**
 * The archive of a library, or the name of the shared one where there is no archive that may stand in a shared object.
 * Distributions build theirs for executables. The linker refuses what cannot be, except that GNU ld for arm64 lets pass
 * a thread's variable at a fixed place (local exec): in a shared object that place is a variable of the executable.
 */
function archive(library) {
  const path = run('clang', [`-print-file-name=lib${library}.a`]).trim()
  const relocations = spawnSync('readelf', ['--relocs', '--wide', path], { encoding: 'utf8', maxBuffer: 1 << 28 })
  const sound = relocations.status === 0 && !/_(TLSLE|TPOFF32)/.test(relocations.stdout)
  return sound ? path : `-l${library}`
}

/**
 * The C++ addon. libbpf and zlib are linked statically where the distribution's archives allow it (Debian 12's and 13's
 * do), else as the shared libraries. libelf is shared: its archive has a thread's variable at a fixed place.
 */
function buildAddon(output, extra) {
  const sources = filesIn('native', /\.(cc|h)$/)
  if (mtime(output) > newest([...sources, 'build/netvitals.skel.h', 'native/setup.mjs'])) return
  say(`building the addon ${output} (clang++)`)
  mkdirSync(dirname(output), { recursive: true })
  const compile = [
    ...['-std=c++20', '-O2', '-g', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-Werror'],
    ...['-Wno-missing-field-initializers', '-Wno-unused-parameter'],
    ...[
      '-DNAPI_VERSION=9',
      '-DNAPI_CPP_EXCEPTIONS',
      '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
      '-DBUILDING_NODE_EXTENSION',
      '-I.',
      '-Ibuild',
    ],
    ...['-isystem', `node_modules/node-linux-${process.arch}/include/node`, '-isystem', 'node_modules/node-addon-api'],
    ...extra,
  ]
  const compiled = filesIn('native', /\.cc$/).map((source) => {
    const object = join(dirname(output), `${source.replaceAll('/', '_')}.o`)
    run('clang++', [...compile, '-c', source, '-o', object])
    return object
  })
  const link = (libraries) => [
    ...['-shared', ...extra, '-Wl,-z,text', '-Wl,--exclude-libs,ALL', '-Wl,--wrap=stderr'],
    ...[...compiled, '-o', `${output}.new`, ...libraries],
  ]
  if (!works('clang++', ...link([archive('bpf'), '-lelf', archive('z')])))
    run('clang++', link(['-lbpf', '-lelf', '-lz']))
  renameSync(`${output}.new`, output)
}

const filesUnder = (dir, pattern) =>
  readdirSync(dir, { recursive: true })
    .filter((name) => pattern.test(name))
    .map((name) => join(dir, name))

/** The program runs compiled: stripping types at every start costs half a second and 30 MB. */
function compile() {
  if (mtime('dist/main.js') > newest([...filesUnder('src', /\.(ts|proto)$/), 'tsconfig.json', 'tsconfig.build.json']))
    return
  say('compiling TypeScript (tsc)')
  rmSync('dist', { recursive: true, force: true })
  run(join('node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'])
  for (const name of filesUnder('src', /\.proto$/)) cpSync(name, name.replace(/^src/, 'dist'))
}

const mode = process.argv[2] ?? 'run'
if (!needs[mode]) fail(`unknown mode "${mode}": one of ${Object.keys(needs).join(', ')}`)
if (process.platform !== 'linux') fail(`netvitals runs on Linux; this is ${process.platform}`)
if (!['x64', 'arm64'].includes(process.arch)) fail(`netvitals runs on x64 and arm64; this is ${process.arch}`)
installPackages(mode)
installModules()
buildBpf()
buildAddon('build/netvitals.node', [])
compile()
if (mode === 'asan') buildAddon('build/asan/netvitals.node', ['-fsanitize=address', '-fno-omit-frame-pointer'])
