import { lstatSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, credentials, loadPackageDefinition } from '@grpc/grpc-js'
import { load } from '@grpc/proto-loader'
import { findCgroupMount } from '../../src/receivers/netvitals/containers/cgroupfs.ts'
import { eventually } from '../e2e/child.ts'
import { BUSYBOX_IMAGE, noImages, PAUSE_IMAGE, writeBasicImages } from '../k8s/images.ts'
import { type LabContainer, programPath } from './lab.ts'
import { cgroupPathOf, createCgroupCleaner, createSandbox, initOfContainer, type Sandbox } from './sandbox.ts'

export interface PodOptions {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  /** The pod's own, as its author wrote them; Kubernetes' are added. */
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface LabPod extends PodOptions {
  /** The container that holds the pod's namespaces. */
  readonly sandboxId: string
  /** Of its pause process. */
  readonly sandboxCgroupId: bigint
}

/** containerd with its CRI plugin, of the test's own, in namespaces of its own; its pods share the sandbox' network. */
export interface Containerd {
  readonly sandbox: Sandbox
  /** Of CRI, as this process sees it. */
  readonly socket: string
  /** The name by which containers' image is known. */
  readonly image: string
  /** As a kubelet with the cgroupfs driver does, of quality "burstable". */
  runPod(options: PodOptions): Promise<LabPod>
  runContainer(pod: LabPod, name: string, command: readonly string[]): Promise<LabContainer>
  /** With its containers. */
  removePod(pod: LabPod): Promise<void>
  exec(container: LabContainer, command: readonly string[]): Promise<string>
  /** Ends its process: nobody answers at the socket, containers go on. */
  kill(): Promise<void>
  /** Starts it again, after `kill`. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** Why containerd can't be had here; false when it can. */
export function missingContainerd(): string | false {
  if (process.getuid?.() !== 0) return 'needs root'
  const absent = ['containerd', 'ctr', 'runc', 'unshare', 'nsenter'].filter((name) => programPath(name) === undefined)
  if (absent.length > 0) return `needs ${absent.join(', ')} (npm run test:containers installs them)`
  return noImages() ?? false
}

const NODE_NETWORK = { namespaceOptions: { network: 'NODE', pid: 'CONTAINER' } }

export async function createContainerd(): Promise<Containerd> {
  const sandbox = await createSandbox('containerd')
  const at = (name: string) => join(sandbox.directory, name)
  const socket = at('containerd.sock')
  // Its path in the cgroup hierarchy: `kubepods` may stand anywhere.
  const cgroupParent = `netvitals-${process.pid}`
  const cgroups = createCgroupCleaner(cgroupParent)
  const mount = findCgroupMount()
  writeFileSync(
    at('containerd.toml'),
    `version = 2
oom_score = 0
root = "${at('root')}"
state = "${at('state')}"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
`,
  )
  const ctr = (...args: string[]) => sandbox.run(['ctr', '--address', socket, '--namespace', 'k8s.io', ...args])
  let daemon = startDaemon()
  let cri = await connect(socket)
  let stopped: Promise<void> | undefined

  function startDaemon() {
    const pidFile = at('containerd.pid')
    const script = 'echo $$ >"$1"; exec containerd --config "$2"'
    const { log } = sandbox.start(['sh', '-c', script, 'sh', pidFile, at('containerd.toml')])
    return { log, pidFile }
  }

  async function answers(): Promise<void> {
    await eventually('containerd answers', () => ctr('version'), 60_000).catch((error) => {
      throw new Error(`${error.message}\n${daemon.log()}`, { cause: error })
    })
  }

  function find(id: string): LabContainer {
    const pid = initOfContainer(id)
    const cgroupPath = pid === undefined ? undefined : cgroupPathOf(pid)
    if (pid === undefined || cgroupPath === undefined) throw new Error(`container ${id} has no process`)
    return { id, pid, cgroupPath, cgroupId: lstatSync(mount.root + cgroupPath, { bigint: true }).ino }
  }

  function configOf({ name, namespace, uid, labels, annotations }: PodOptions) {
    const own = { 'pod.name': name, 'pod.namespace': namespace, 'pod.uid': uid }
    const podCgroup = `${cgroupParent}/kubepods/burstable/pod${uid}`
    cgroups.own(podCgroup)
    return {
      metadata: { name, namespace, uid },
      labels: { ...labels, ...kubernetes(own) },
      annotations: { 'kubernetes.io/config.source': 'api', ...annotations },
      linux: { cgroupParent: `/${podCgroup}`, securityContext: NODE_NETWORK },
    }
  }

  async function end(): Promise<void> {
    cri.close()
    await sandbox.stop()
    cgroups.own(`${cgroupParent}/kubepods/burstable`)
    cgroups.own(`${cgroupParent}/kubepods`)
    cgroups.clean()
  }
  const stop = () => (stopped ??= end())

  try {
    await answers()
    for (const tar of await writeBasicImages(sandbox.directory)) await ctr('images', 'import', tar)
  } catch (error) {
    await stop()
    throw error
  }

  return {
    sandbox,
    socket,
    image: BUSYBOX_IMAGE,
    async runPod(options) {
      const { podSandboxId } = await cri.call('RunPodSandbox', { config: configOf(options) })
      return { ...options, sandboxId: podSandboxId!, sandboxCgroupId: find(podSandboxId!).cgroupId }
    },
    async runContainer(pod, name, command) {
      const { containerId } = await cri.call('CreateContainer', {
        podSandboxId: pod.sandboxId,
        config: {
          ...{ metadata: { name }, image: { image: BUSYBOX_IMAGE }, command },
          labels: kubernetes({
            ...{ 'container.name': name, 'pod.name': pod.name, 'pod.namespace': pod.namespace, 'pod.uid': pod.uid },
          }),
          linux: { securityContext: NODE_NETWORK },
        },
        sandboxConfig: configOf(pod),
      })
      await cri.call('StartContainer', { containerId })
      return find(containerId!)
    },
    async removePod({ sandboxId }) {
      await cri.call('StopPodSandbox', { podSandboxId: sandboxId })
      await cri.call('RemovePodSandbox', { podSandboxId: sandboxId })
    },
    exec: ({ id }, command) => ctr('tasks', 'exec', '--exec-id', `x${Math.random()}`, id, ...command),
    async kill() {
      await sandbox.run(['sh', '-c', `kill -9 "$(cat ${daemon.pidFile})"`])
      cri.close()
    },
    async restart() {
      daemon = startDaemon()
      cri = await connect(socket)
      await answers()
    },
    stop,
  }
}

const kubernetes = (named: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(named).map(([name, value]) => [`io.kubernetes.${name}`, value]))

type Answer = { readonly podSandboxId?: string; readonly containerId?: string }
type Method = 'RunPodSandbox' | 'StopPodSandbox' | 'RemovePodSandbox' | 'CreateContainer' | 'StartContainer'
type Service = Client &
  Record<Method, (request: object, options: object, done: (error: Error | null, answer: Answer) => void) => void>

async function connect(socket: string) {
  const definition = await load(join(import.meta.dirname, 'cri.proto'), { defaults: true, enums: String })
  const { runtime } = loadPackageDefinition(definition) as unknown as {
    runtime: { v1: { RuntimeService: new (address: string, credentials: unknown, options: object) => Service } }
  }
  // Go refuses the path of the socket as a server's name.
  const options = { 'grpc.default_authority': 'localhost' }
  const client = new runtime.v1.RuntimeService(`unix:${socket}`, credentials.createInsecure(), options)
  return {
    call: (method: Method, request: object) =>
      new Promise<Answer>((resolve, reject) =>
        client[method](request, { deadline: Date.now() + 60_000 }, (error, answer) =>
          error ? reject(new Error(`${method}: ${error.message}`)) : resolve(answer),
        ),
      ),
    close: () => client.close(),
  }
}
