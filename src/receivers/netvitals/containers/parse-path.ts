import type { Runtime } from './types.ts'

/** What a cgroup's path alone tells; what it does not tell is absent. */
export interface CgroupIdentity {
  /** The part of the path that is the container's (pod's, unit's) own cgroup; 'host' for the host itself. */
  readonly key: string
  readonly runtime: Runtime
  /** Container id as the runtime writes it. For LXC, nspawn and `ctr` that is the name which people gave. */
  readonly id?: string
  /** A name that people gave: an LXC container's, a machine's, a task's. */
  readonly name?: string
  /** As in the path: a static pod has the kubelet's hash of its manifest here, not the API's uid. */
  readonly podUid?: string
  /** systemd unit, its suffix included. */
  readonly unit?: string
  /** User id of the `systemd --user` that runs the unit. */
  readonly userId?: string
}

export const HOST: CgroupIdentity = Object.freeze({ key: 'host', runtime: 'host' })

/**
 * Whose cgroup this is, by its path from the root of the cgroup2 hierarchy.
 *
 * The deepest container wins (kind, Docker in Docker); what is nested in a container is the container's, also
 * where a whole systemd runs in it; a systemd unit counts only outside of containers.
 *
 * @example parsePath('/system.slice/nginx.service/worker') // { key: '/system.slice/nginx.service', ... }
 */
export function parsePath(path: string): CgroupIdentity {
  const parts = path.split('/').slice(1)
  let found: Found | undefined
  let end = 0
  let podUid: string | undefined
  let podEnd = 0
  for (let i = 0; i < parts.length; i++) {
    const uid = podUidAt(parts, i)
    if (uid !== undefined) [podUid, podEnd] = [uid, i + 1]
    const container = containerAt(parts, i)
    if (container !== undefined) [found, end] = [container, i + 1]
    // A container's monitor lives beside it, in the pod or the slice: a process of the host.
    else if (/^(?:libpod|crio)-conmon-/.test(parts[i]!) && podEnd > end) [podUid, podEnd] = [undefined, 0]
  }
  const key = (length: number) => `/${parts.slice(0, length).join('/')}`
  const pod = podUid === undefined ? {} : { podUid }
  if (podEnd > end) {
    // `<slice>:cri-containerd:<id>` names pod and container in one component; a pod's own cgroup names no container.
    return { key: key(podEnd), runtime: 'unknown', ...pod }
  }
  if (found === undefined) return unitOf(parts) ?? HOST
  const { splitOfUnit, ...identity } = found
  const unit = splitOfUnit ? unitOf(parts.slice(0, end))?.unit : undefined
  return { key: key(end), ...identity, ...pod, ...(unit === undefined ? {} : { unit }) }
}

interface Found {
  readonly runtime: Runtime
  readonly id: string
  readonly name?: string
  /** Podman's `--cgroups=split` (Quadlet): the container is a part of the unit above it and known by its name. */
  readonly splitOfUnit?: boolean
}

const RUNTIMES = new Map<string, Runtime>([
  ['docker', 'docker'],
  ['libpod', 'podman'],
  ['libpod-payload', 'podman'],
  ['cri-containerd', 'containerd'],
  ['nerdctl', 'containerd'],
  ['crio', 'cri-o'],
])
const HEX_ID = /^[0-9a-f]{64}$/
/** BuildKit's ids of build steps, base 36. */
const BUILD_ID = /^[0-9a-z]{25}$/
/** systemd driver `<prefix>-<id>.scope`; cgroupfs `<prefix>-<id>`; a systemd-style path under cgroupfs `<slice>:<prefix>:<id>`. */
const PREFIXED = /^(?:[^:]+\.slice:)?([a-z-]+)[-:]([0-9a-z]{25}|[0-9a-f]{64})(?:\.scope)?$/
/** Cloud Foundry's containers. */
const GARDEN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){4}$/
const ALLOCATION = /^([0-9a-f]{8}-[0-9a-f-]{27})\.(.+)\.scope$/

function containerAt(parts: readonly string[], i: number): Found | undefined {
  const part = parts[i]!
  const parent = parts[i - 1] ?? ''
  const [, prefix = '', prefixedId = ''] = PREFIXED.exec(part) ?? []
  const runtime = RUNTIMES.get(prefix)
  if (runtime !== undefined) return { runtime, id: prefixedId, splitOfUnit: prefix === 'libpod-payload' }

  if (HEX_ID.test(part)) {
    if (parent === 'docker') return { runtime: 'docker', id: part }
    if (i === 1 && (parent === 'default' || parent === 'k8s.io')) return { runtime: 'containerd', id: part }
    // A Podman pod: its containers are below it.
    return parent === 'libpod_parent' ? undefined : { runtime: 'unknown', id: part }
  }
  if (parent === 'buildkit' && BUILD_ID.test(part)) {
    return { runtime: parts[i - 2] === 'docker' ? 'docker' : 'unknown', id: part }
  }
  if (i === 1 && parent === 'default' && part !== '') return { runtime: 'containerd', id: part, name: part }
  if (parts[0] === 'ecs' && i === 2 && /^[0-9a-f]{32}-\d+$/.test(part)) return { runtime: 'unknown', id: part }
  if (GARDEN_ID.test(part) && /^(?:garden|good|bad)$/.test(parent)) return { runtime: 'unknown', id: part }
  if (parts[0] === 'nomad.slice') {
    const [, allocation, task] = ALLOCATION.exec(part) ?? []
    if (task !== undefined) return { runtime: 'unknown', id: `${allocation}.${task}`, name: task }
  }
  return machineAt(part, parent)
}

/** System containers, known by their names. */
function machineAt(part: string, parent: string): Found | undefined {
  const named = (runtime: Runtime, name: string): Found => ({ runtime, id: name, name })
  if (part.startsWith('lxc.payload.')) return named('lxc', part.slice('lxc.payload.'.length))
  if ((parent === 'lxc' || parent === 'lxc.payload') && part !== '') return named('lxc', part)

  const template = /^systemd-nspawn@(.+)\.service$/.exec(part)?.[1]
  if (template !== undefined) return named('nspawn', unescapeUnit(template))
  const machine = unescapeUnit(/^machine-(.+)\.scope$/.exec(part)?.[1] ?? '')
  // libvirt's machines: a virtual machine is a process of the host, `lxc-<pid>-<name>` a container.
  if (machine === '' || machine.startsWith('qemu-')) return undefined
  const [, libvirtName] = /^lxc-\d+-(.+)$/.exec(machine) ?? []
  return libvirtName === undefined ? named('nspawn', machine) : named('lxc', libvirtName)
}

/** Kubernetes, wherever `kubepods` stands in the path: kind's and other nested nodes, kubelet's `--cgroup-root`. */
function podUidAt(parts: readonly string[], i: number): string | undefined {
  const part = parts[i]!
  const systemd = /(?:^|-)kubepods(?:-burstable|-besteffort)?-pod([^:/]+)\.slice(?::|$)/.exec(part)?.[1]
  if (systemd !== undefined) return systemd.replaceAll('_', '-')
  if (!part.startsWith('pod')) return undefined
  const qos = parts[i - 1] === 'burstable' || parts[i - 1] === 'besteffort'
  return parts[i - (qos ? 2 : 1)] === 'kubepods' ? part.slice('pod'.length) : undefined
}

/**
 * The outermost unit. Not only services have processes and sockets: since 235 systemd creates a socket unit's
 * listeners from within that unit's cgroup (socket_address_listen_in_cgroup), and what serves a mount runs in its.
 */
function unitOf(parts: readonly string[]): CgroupIdentity | undefined {
  let userId: string | undefined
  for (const [i, part] of parts.entries()) {
    // systemd escapes names that the kernel could take for its own files with a `_` (cg_escape).
    const unit = part.startsWith('_') ? part.slice(1) : part
    if (!/.\.(?:service|socket|mount|swap)$/.test(unit)) continue
    const manager = /^user@(\d+)\.service$/.exec(unit)?.[1]
    if (manager === undefined || userId !== undefined) {
      const user = userId === undefined ? {} : { userId }
      return { key: `/${parts.slice(0, i + 1).join('/')}`, runtime: 'systemd', unit, ...user }
    }
    userId = manager
  }
  return undefined
}

/** `\x2d` -> `-`. @see systemd.unit(5), "String escaping for inclusion in unit names" */
export function unescapeUnit(name: string): string {
  return name.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
