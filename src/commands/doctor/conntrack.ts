import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'
import { reasonOf } from '../../errors.ts'
import { createConntrack } from '../../receivers/netvitals/kernel/conntrack.ts'
import {
  ConntrackAnswerLayout,
  ConntrackRequestLayout,
  type NativeConntrack,
} from '../../receivers/netvitals/kernel/native.ts'
import { type Finding, ok, skipped } from './finding.ts'

const TRACKED = '/proc/sys/net/netfilter/nf_conntrack_count'
const ANSWER_MS = 2000
const LOOPBACK = [127, 0, 0, 1]
/** There is no connection from port 1 to port 1. */
const PORT = 1

/** Asks for a connection that is not there: the answer tells whether asking works. Makes the kernel load no module. */
export async function checkConntrack(): Promise<Finding> {
  let tracked: string
  try {
    tracked = `${readFileSync(TRACKED, 'utf8').trim()} connections tracked`
  } catch {
    return skipped('conntrack', 'not loaded: this kernel translates no addresses')
  }
  try {
    const errno = await ask()
    if (errno === 0 || errno === constants.errno.ENOENT) return ok('conntrack', tracked)
    return failed(`${tracked}, asking fails with ${getSystemErrorMap().get(-errno)?.[0] ?? errno}`)
  } catch (error) {
    return failed(`${tracked}, asking fails: ${reasonOf(error)}`)
  }
}

async function ask(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let conntrack: NativeConntrack | undefined
  const timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS)
  try {
    conntrack = createConntrack({
      onAnswers: (buffer) =>
        resolve(new DataView(buffer.buffer, buffer.byteOffset).getInt32(ConntrackAnswerLayout.errno, true)),
      onError: reject,
    })
    conntrack.lookup(requestOf(await conntrack.open(-1)), 1)
    return await promise
  } finally {
    clearTimeout(timer)
    conntrack?.close()
  }
}

function requestOf(namespace: number): Uint8Array {
  const bytes = new Uint8Array(ConntrackRequestLayout.size)
  const view = new DataView(bytes.buffer)
  view.setUint32(ConntrackRequestLayout.first, namespace, true)
  view.setUint16(ConntrackRequestLayout.sourcePort, PORT, true)
  view.setUint16(ConntrackRequestLayout.destinationPort, PORT, true)
  bytes[ConntrackRequestLayout.family] = 4
  bytes.set(LOOPBACK, ConntrackRequestLayout.source)
  bytes.set(LOOPBACK, ConntrackRequestLayout.destination)
  return bytes
}

function failed(found: string): Finding {
  return {
    check: 'conntrack',
    status: 'degraded',
    found,
    costs: 'what answers behind a translated address (a Service, a published port) is not known',
    fix: 'run as root, or grant CAP_NET_ADMIN; modprobe nf_conntrack_netlink where it is a module',
  }
}
