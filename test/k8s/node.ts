import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createSandbox, type Sandbox } from '../containers/sandbox.ts'
import { eventually } from '../e2e/child.ts'
import { CONTROL_PLANE, type ControlPlane } from './control-plane.ts'
import { PAUSE_IMAGE } from './images.ts'

export interface KubeNode {
  readonly name: string
  /** In the network of the nodes. */
  readonly address: string
  /** Network of its pods. */
  readonly podCidr: string
  /** Its first process has the node's network namespace; containerd's socket is in its /run. */
  readonly sandbox: Sandbox
  /** @param tar in OCI layout */
  importImage(tar: string): Promise<void>
  /** The last that each of its programs said. */
  logs(): string
}

export interface NodeOptions {
  /** The program. */
  readonly kube: string
  readonly controlPlane: ControlPlane
  /** From 1. */
  readonly number: number
  /** How many there are in all. */
  readonly nodes: number
  /** The node's own cgroup, which is there in every hierarchy. */
  readonly cgroupRoot: string
}

/** What a kubelet writes for the whole machine: here it writes to files of its own. */
const SYSCTLS = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
}

const setupNode = [
  'mount -t tmpfs none /var/log',
  'mkdir -p /run/sysctl /run/netns',
  ...Object.entries(SYSCTLS).flatMap(([name, value], n) => [
    `echo ${value} >/run/sysctl/${n}`,
    `mount --bind /run/sysctl/${n} /proc/sys/${name}`,
  ]),
  'mount --make-rshared /',
  'echo 1 >/proc/sys/net/ipv4/ip_forward',
  // Not there without br_netfilter: pods of one node then reach each other past kube-proxy's rules.
  'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables || true',
].join('\n')

const addressOf = (number: number) => `10.99.0.${10 + number}`
const podCidrOf = (number: number) => `10.244.${number}.0/24`

/**
 * A real node: containerd, kubelet and kube-proxy in network, mount and process namespaces of their own, so that
 * /proc/1 is the node's. The kernel, with its BPF and its cgroups, is the machine's.
 */
export async function createNode(options: NodeOptions): Promise<KubeNode> {
  const { controlPlane, number } = options
  const name = `n${number}`
  const sandbox = await createSandbox(`kube-${name}`, setupNode)
  try {
    await connect(options, name, sandbox)
    writeConfigs(options, name, sandbox.directory)
    return await start(options, name, sandbox)
  } catch (error) {
    await sandbox.stop()
    throw new Error(`${(error as Error).message}\n${controlPlane.logs()}`, { cause: error })
  }
}

async function connect({ controlPlane, number, nodes }: NodeOptions, name: string, sandbox: Sandbox): Promise<void> {
  const ends = [name, 'netns', controlPlane.sandbox.pid, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', sandbox.pid]
  execFileSync('ip', ['link', 'add', ...ends.map(String)])
  const others = Array.from({ length: nodes }, (_, n) => n + 1).filter((other) => other !== number)
  await controlPlane.sandbox.run([
    ...['sh', '-ec', 'ip link set "$1" master lan0 up; ip route add "$2" via "$3"'],
    ...['sh', name, podCidrOf(number), addressOf(number)],
  ])
  await sandbox.run([
    ...['sh', '-ec', 'ip addr add "$1/24" dev eth0; ip link set eth0 up; ip route add default via "$2"'],
    ...['sh', addressOf(number), CONTROL_PLANE],
  ])
  for (const other of others) await sandbox.run(['ip', 'route', 'add', podCidrOf(other), 'via', addressOf(other)])
}

function writeConfigs({ controlPlane, number, cgroupRoot }: NodeOptions, name: string, directory: string): void {
  const at = (file: string) => join(directory, file)
  // JSON is YAML, and the CNI's own form.
  const write = (file: string, content: object) => writeFileSync(at(file), JSON.stringify(content))
  mkdirSync(at('cni'))
  write('cni/10-bridge.conflist', {
    ...{ cniVersion: '0.4.0', name: 'pods' },
    plugins: [
      {
        ...{ type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true },
        ipam: { type: 'host-local', ranges: [[{ subnet: podCidrOf(number) }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  })
  writeFileSync(
    at('containerd.toml'),
    `version = 2
oom_score = 0
root = "${at('containerd')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${at('cni')}"
`,
  )
  const { pki } = controlPlane
  write('kubelet.yaml', {
    ...{ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration' },
    // Without a pure cgroup v2 it would not start.
    ...{ failCgroupV1: false, cgroupDriver: 'cgroupfs', cgroupRoot, enforceNodeAllocatable: ['pods'] },
    ...{ containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock', failSwapOn: false, oomScoreAdj: 0 },
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki.file('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    ...{ clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local', resolvConf: '' },
    ...{ evictionHard: { 'memory.available': '100Mi' }, imageGCHighThresholdPercent: 100 },
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
  })
  write('proxy.yaml', {
    ...{ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'iptables' },
    ...{ hostnameOverride: name, clusterCIDR: '10.244.0.0/16' },
    clientConnection: { kubeconfig: pki.kubeconfig('proxy') },
    // Zeros: the machine's settings stay as they are.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    iptables: { minSyncPeriod: '0s' },
  })
}

async function start({ kube, controlPlane, number }: NodeOptions, name: string, sandbox: Sandbox): Promise<KubeNode> {
  const at = (file: string) => join(sandbox.directory, file)
  const logs = new Map<string, () => string>()
  const path = `PATH=${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`
  const run = (program: string, command: readonly string[]) =>
    logs.set(program, sandbox.start(['env', path, ...command]).log)

  run('containerd', ['containerd', '--config', at('containerd.toml')])
  const ctr = (...args: string[]) => sandbox.run(['ctr', '--namespace', 'k8s.io', ...args], 300_000)
  const node: KubeNode = {
    ...{ name, address: addressOf(number), podCidr: podCidrOf(number), sandbox },
    importImage: async (tar) => void (await ctr('images', 'import', tar)),
    logs: () => [...logs].map(([program, log]) => `--- ${name} ${program}\n${log().slice(-3_000)}`).join('\n'),
  }
  try {
    await eventually(`containerd of ${name} answers`, () => ctr('version'), 60_000)
    const kubelet = ['--kubeconfig', controlPlane.pki.kubeconfig(name), '--cert-dir', at('pki')]
    kubelet.push('--config', at('kubelet.yaml'), `--hostname-override=${name}`, `--node-ip=${node.address}`)
    run('kubelet', [kube, 'kubelet', ...kubelet])
    run('kube-proxy', [kube, 'kube-proxy', '--config', at('proxy.yaml')])
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${node.logs()}`, { cause: error })
  }
  return node
}
