import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface HostFacts {
  /** host.name */
  readonly name: string
  /** host.id; absent where this host has none that survives a restart. */
  readonly id?: string
  /** k8s.node.name */
  readonly nodeName?: string
}

export interface HostOptions {
  /** Settings; each goes before what is found. */
  readonly name?: string | undefined
  readonly id?: string | undefined
  readonly nodeName?: string | undefined
  /** Where the host's file system is seen, for an agent that runs in a container; '' for its own root. */
  readonly root?: string
  readonly env?: NodeJS.ProcessEnv
}

/** Numbers of the initial namespaces. @see include/linux/proc_ns.h PROC_UTS_INIT_INO, PROC_PID_INIT_INO */
const INIT_UTS = 'uts:[4026531838]'
const INIT_PID = 'pid:[4026531836]'

/**
 * Who this host is, by OpenTelemetry's rules for host.id (the machine id, as repeatable by every other observer).
 * In a container the image's own /etc/machine-id would make all nodes one: there the init process' view is asked,
 * or the hardware.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/resource/host/
 */
export function readHost(options: HostOptions = {}): HostFacts {
  const { root = '', env = process.env } = options
  const nodeName = options.nodeName ?? nonEmpty(env.NODE_NAME) ?? nonEmpty(env.K8S_NODE_NAME)
  const seesInit = link(`${root}/proc/self/ns/pid`) === INIT_PID
  const id = options.id ?? machineId(root, seesInit)
  const name = options.name ?? hostName(root, seesInit) ?? nodeName ?? hostname()
  return {
    name,
    ...(id === undefined ? {} : { id }),
    ...(nodeName === undefined ? {} : { nodeName }),
  }
}

function machineId(root: string, seesInit: boolean): string | undefined {
  const files = (prefix: string) => [`${prefix}/etc/machine-id`, `${prefix}/var/lib/dbus/machine-id`]
  const fromFiles = (prefix: string) => files(prefix).map(read).find(isMachineId)
  const uuid = () => {
    const text = read(`${root}/sys/class/dmi/id/product_uuid`)?.toLowerCase()
    // Boards without one say all zeros or all ones.
    return text !== undefined && /^[0-9a-f-]{36}$/.test(text) && !/^[0-]+$|^[f-]+$/.test(text) ? text : undefined
  }
  return seesInit ? (fromFiles(`${root}/proc/1/root`) ?? fromFiles(root) ?? uuid()) : (uuid() ?? fromFiles(root))
}

function isMachineId(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{32}$/.test(text) && !/^0+$/.test(text)
}

/** Undefined in a UTS namespace that is not the host's, where the name is a pod's or container's. */
function hostName(root: string, seesInit: boolean): string | undefined {
  if (link(`${root}/proc/self/ns/uts`) === INIT_UTS) return nonEmpty(read(`${root}/proc/sys/kernel/hostname`))
  return seesInit ? nonEmpty(read(`${root}/proc/1/root/etc/hostname`)) : undefined
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The one line of a file; undefined when it is absent or not ours to read, which is an ordinary answer here. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}
