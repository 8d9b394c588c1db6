import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { agentUnavailable, startAgent } from './agent.ts'
import { createLab, labUnavailable, type Namespace } from './lab.ts'
import { pointsOf, sumPoints } from './points.ts'
import { startProgram } from './programs.ts'

const skip = labUnavailable() ?? agentUnavailable() ?? false

/**
 * A client whose default route is a node, and two servers behind that: the node translates, as it does for pods. Or,
 * with `inside`, the client's own namespace does.
 */
function createServices(t: TestContext, { inside }: { inside: boolean }) {
  const lab = createLab({ namespaces: 4 })
  t.after(() => lab.close())
  const [client, node, one, two] = lab.namespaces as [Namespace, Namespace, Namespace, Namespace]
  client.run(['ip', 'route', 'add', '10.96.0.0/24', 'via', node.ipv4])
  client.run(['ip', '-6', 'route', 'add', 'fd96::/64', 'via', node.ipv6])
  node.sysctl('net.ipv4.ip_forward', 1)
  node.sysctl('net.ipv6.conf.all.forwarding', 1)
  for (const device of ['all', 'eth0']) node.sysctl(`net.ipv4.conf.${device}.send_redirects`, 0)
  const hook = inside ? 'output priority -100' : 'prerouting priority -100'
  const rules = (family: string, address: string, servers: string[]) => `
    ${family} daddr ${address} tcp dport 80 dnat ${family} to numgen inc mod 2 map { 0 : ${servers[0]}, 1 : ${servers[1]} }`
  ;(inside ? client : node).run(
    ['nft', '-f', '-'],
    `table inet services {
      chain nat { type nat hook ${hook}
        ${rules('ip', '10.96.0.1', [one.ipv4, two.ipv4])}
        ${rules('ip6', 'fd96::1', [one.ipv6, two.ipv6])}
      }
      chain back { type nat hook postrouting priority 100
        masquerade
      }
    }`,
  )
  return { lab, client, node, one, two }
}

describe("addresses that a node's IPVS translates, as kube-proxy has it do", { skip: skip || noIpvs() }, () => {
  it('are shown as dialled and as answered', { timeout: 120_000 }, async (t) => {
    const { lab, client, node, one, two } = createServices(t, { inside: false })
    node.run(['nft', 'flush', 'chain', 'inet', 'services', 'nat'])
    // The address is the node's own on an interface without a cable, so that it is IPVS' input.
    node.run(['ip', 'link', 'add', 'ipvs0', 'type', 'dummy'])
    node.run(['ip', 'address', 'add', '10.96.0.1/32', 'dev', 'ipvs0'])
    node.sysctl('net.ipv4.vs.conntrack', 1)
    node.run(['ipvsadm', '-A', '-t', '10.96.0.1:80', '-s', 'rr'])
    for (const { ipv4 } of [one, two]) node.run(['ipvsadm', '-a', '-t', '10.96.0.1:80', '-r', `${ipv4}:80`, '-m'])
    const agent = await startAgent({ destinations: { translation: { node_namespaces: [node.path] } } })
    t.after(() => agent.stop())
    const drive = startProgram(lab, client, lab.container('docker'), 'drive')
    const servers = [one, two].map((namespace) => startProgram(lab, namespace, lab.container('kubepods'), 'serve'))
    for (const server of servers) await server.listen('port=80 family=4')
    await drive.command('connect to=10.96.0.1:80 n=20 end=client_fin up=1000')
    const resource = { 'container.id': drive.container.id }
    const connects = pointsOf(await agent.collect(), { metric: 'container.net.tcp.successful_connects', resource })
    assert.deepEqual(
      [...connects]
        .map(({ attributes: a, value }) => [a['destination.address'], a['network.peer.address'], value])
        .sort(),
      [one, two].map(({ ipv4 }) => ['10.96.0.1', ipv4, 10]).sort(),
    )
  })
})

/** Why IPVS can't be tried here, or false. It is not loaded for that: ipvsadm would. */
function noIpvs(): string | false {
  if (!existsSync('/proc/net/ip_vs')) return 'needs a kernel with IPVS: modprobe ip_vs ip_vs_rr'
  return existsSync('/usr/sbin/ipvsadm') || existsSync('/sbin/ipvsadm') ? false : 'needs the program ipvsadm'
}

for (const [where, inside] of [
  ["a pod's node", false],
  ["the container's own network namespace", true],
] as const)
  describe(`addresses that ${where} translates`, { skip }, () => {
    for (const family of [4, 6] as const)
      it(`are shown as dialled and as answered, IPv${family}`, { timeout: 60_000 }, async (t) => {
        const { lab, client, node, one, two } = createServices(t, { inside })
        const nodes = inside ? [] : [node.path]
        const agent = await startAgent({ destinations: { translation: { node_namespaces: nodes } } })
        t.after(() => agent.stop())
        const drive = startProgram(lab, client, lab.container('docker'), 'drive')
        const servers = [one, two].map((namespace) => startProgram(lab, namespace, lab.container('kubepods'), 'serve'))
        for (const server of servers) await server.listen(`port=80 family=${family}`)
        const service = family === 4 ? '10.96.0.1' : 'fd96::1'
        const to = family === 4 ? `${service}:80` : `[${service}]:80`
        await drive.command(`connect to=${to} n=100 end=client_fin up=1000`)

        const batch = await agent.collect()
        const resource = { 'container.id': drive.container.id }
        const dialled = { 'destination.address': service, 'destination.port': 80 }
        const connects = [...pointsOf(batch, { metric: 'container.net.tcp.successful_connects', resource })]
        assert.deepEqual(
          connects
            .map(({ attributes, value }) => [
              attributes['network.peer.address'],
              attributes['network.peer.port'],
              value,
            ])
            .sort(),
          [one, two].map((server) => [family === 4 ? server.ipv4 : server.ipv6, 80, 50]).sort(),
        )
        for (const { attributes } of connects) assert.equal(attributes['destination.address'], service)
        assert.ok(sumPoints(batch, { metric: 'container.net.tcp.bytes_sent', resource, point: dialled }) >= 100_000)
      })

    it('are shown for attempts that nobody answers too', { timeout: 60_000 }, async (t) => {
      const { lab, client, node, one, two } = createServices(t, { inside })
      const agent = await startAgent({ destinations: { translation: { node_namespaces: inside ? [] : [node.path] } } })
      t.after(() => agent.stop())
      const drive = startProgram(lab, client, lab.container('docker'), 'drive')
      for (const server of [one, two]) server.filter({ input: ['tcp dport 80 drop'] })
      await drive.command('connect to=10.96.0.1:80 n=20 how=abort_close wait_ms=200')
      const batch = await agent.collect()
      const resource = { 'container.id': drive.container.id }
      const failures = [...pointsOf(batch, { metric: 'container.net.tcp.failed_connects', resource })]
      assert.deepEqual(
        failures
          .map(({ attributes, value }) => [attributes['error.type'], attributes['network.peer.address'], value])
          .sort(),
        [one, two].map(({ ipv4 }) => ['aborted', ipv4, 10]).sort(),
      )
    })

    it('are taken for answered by themselves when a RST has ended the tracking, once', {
      timeout: 60_000,
    }, async (t) => {
      const { lab, client, node, one, two } = createServices(t, { inside })
      const agent = await startAgent({ destinations: { translation: { node_namespaces: inside ? [] : [node.path] } } })
      t.after(() => agent.stop())
      const drive = startProgram(lab, client, lab.container('docker'), 'drive')
      await drive.command('connect to=10.96.0.1:80 n=4')
      await agent.collect()
      const servers = [one, two].map((namespace) => startProgram(lab, namespace, lab.container('kubepods'), 'serve'))
      for (const server of servers) await server.listen('port=80 family=4')
      await drive.command('connect to=10.96.0.1:80 n=10 end=client_fin')
      const batch = await agent.collect()
      const resource = { 'container.id': drive.container.id }
      const failed = [...pointsOf(batch, { metric: 'container.net.tcp.failed_connects', resource })]
      assert.deepEqual(
        failed.map(({ attributes, value }) => [attributes['error.type'], attributes['network.peer.address'], value]),
        [['refused', '10.96.0.1', 4]],
      )
      const point = { 'network.peer.address': (address: unknown) => address === one.ipv4 || address === two.ipv4 }
      assert.equal(sumPoints(batch, { metric: 'container.net.tcp.successful_connects', resource, point }), 10)
    })

    it('are pinged where they are answered, and not where they are dialled', { timeout: 60_000 }, async (t) => {
      const { lab, client, node, one, two } = createServices(t, { inside })
      const agent = await startAgent({
        destinations: { translation: { node_namespaces: inside ? [] : [node.path] } },
        probes: { interval: '1s', timeout: '500ms' },
      })
      t.after(() => agent.stop())
      const drive = startProgram(lab, client, lab.container('docker'), 'drive')
      const servers = [one, two].map((namespace) => startProgram(lab, namespace, lab.container('kubepods'), 'serve'))
      for (const server of servers) await server.listen('port=80 family=4')
      await drive.command('connect to=10.96.0.1:80 n=10 end=client_fin')
      const resource = { 'container.id': drive.container.id }
      const pinged = async () =>
        [...pointsOf(await agent.collect(), { metric: 'container.net.latency', resource })]
          .filter(({ value }) => value > 0)
          .map(({ attributes }) => attributes['destination.address'])
          .sort()
      const wanted = [one.ipv4, two.ipv4].sort()
      const deadline = performance.now() + 10_000
      while (JSON.stringify(await pinged()) !== JSON.stringify(wanted) && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 200))
      assert.deepEqual(await pinged(), wanted)
    })
  })
