import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readLocalNetworks } from '../../../../src/receivers/netvitals/destinations/local.ts'

/** Runs in network and mount namespaces of its own, then reads them; gone with the process. */
function localIn(commands: string): { addresses: string[]; containerNetworks: string[] } {
  const module = new URL('../../../../src/receivers/netvitals/destinations/local.ts', import.meta.url).href
  const print = `import(${JSON.stringify(module)}).then((m) => console.log(JSON.stringify(m.readLocalNetworks())))`
  const script = `set -e; mount -t sysfs none /sys; ip link set lo up; ${commands}; exec "$NODE" -e "$PRINT"`
  const result = spawnSync('unshare', ['--net', '--mount', '--propagation=private', 'sh', '-c', script], {
    encoding: 'utf8',
    timeout: 20_000,
    env: { ...process.env, NODE: process.execPath, PRINT: print },
  })
  assert.equal(result.status, 0, result.stderr)
  return JSON.parse(result.stdout)
}

const probe = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', 'ip link add b0 type bridge'], { encoding: 'utf8' })
const skip = probe.status === 0 ? false : `needs root, ip and bridges: ${probe.error?.message ?? probe.stderr.trim()}`

test('a bridge with containers on it is a container network, its address ours', { skip }, () => {
  const local = localIn(`
    ip link add docker0 type bridge
    ip link add v0 type veth peer name v1
    ip link set v0 master docker0
    ip addr add 172.17.0.1/16 dev docker0
    ip -6 addr add fd00:77::1/64 dev docker0 nodad
    for i in docker0 v0 v1; do ip link set $i up; done`)
  assert.deepEqual(local.containerNetworks.sort(), ['172.17.0.0/16', 'fd00:77::1/64'])
  assert.deepEqual(local.addresses.filter((address) => !address.startsWith('fe80:')).sort(), [
    '127.0.0.1',
    '172.17.0.1',
    '::1',
    'fd00:77::1',
  ])
})

test('so is one without a container yet, though it has no carrier', { skip }, () => {
  const local = localIn(`
    ip link add cni0 type bridge
    ip link add v0 type veth peer name v1
    ip link set v0 master cni0
    ip addr add 10.244.1.1/24 dev cni0
    ip link set v0 up
    ip link set cni0 up
    until ip link show cni0 | grep -q NO-CARRIER; do sleep 0.1; done`)
  assert.deepEqual(local.containerNetworks, ['10.244.1.0/24'])
  assert.ok(local.addresses.includes('10.244.1.1'))
})

test("a bridge with a port that leads out is the host's own network", { skip }, () => {
  const local = localIn(`
    ip link add br0 type bridge forward_delay 0
    ip link add v0 type veth peer name v1
    ip link set v0 up
    ip link set v1 up
    ip link add link v1 name uplink type macvlan
    ip link set uplink master br0
    ip link set uplink up
    ip addr add 192.168.50.2/24 dev br0
    ip link set br0 up`)
  assert.deepEqual(local.containerNetworks, [])
})

test('routes behind a gateway and link-local networks of a bridge are none of its networks', { skip }, () => {
  const local = localIn(`
    ip link add podman0 type bridge
    ip addr add 10.88.0.1/16 dev podman0
    ip addr add 169.254.1.1/16 dev podman0
    ip link set podman0 up
    ip route add 10.99.0.0/16 via 10.88.0.9 dev podman0`)
  assert.deepEqual(local.containerNetworks, ['10.88.0.0/16'])
})

test('a network card on a bridge, or a bond, makes it no container network', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'netvitals-sysfs-'))
  t.after(() => rmSync(root, { recursive: true }))
  const net = (path: string) => mkdirSync(join(root, 'sys/class/net', path), { recursive: true })
  for (const bridge of ['br-card', 'br-bond', 'br-pods']) net(`${bridge}/bridge`)
  for (const port of ['br-card/brif/eth0', 'eth0/device', 'br-bond/brif/bond0', 'bond0/lower_eth1']) net(port)
  for (const port of ['br-pods/brif/veth1', 'veth1']) net(port)
  mkdirSync(join(root, 'proc/net'), { recursive: true })
  const route = (name: string, second: string) => `${name}\t00${second}A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0`
  const routes = ['Iface\tDestination\t...', route('br-card', '01'), route('br-bond', '02'), route('br-pods', '03')]
  writeFileSync(join(root, 'proc/net/route'), `${routes.join('\n')}\n`)
  const local = readLocalNetworks({ sys: join(root, 'sys'), proc: join(root, 'proc') })
  assert.deepEqual(local.containerNetworks, ['192.168.3.0/24'])
})
