import { reasonOf } from '../../errors.ts'
import {
  type NativeProber,
  ProbeOutcome,
  ProbeRequestLayout,
  ProbeResultLayout,
} from '../../receivers/netvitals/kernel/native.ts'
import { createProber } from '../../receivers/netvitals/kernel/prober.ts'
import { type Finding, ok } from './finding.ts'

const TIMEOUT_MS = 1000
const ECHO = { payloadBytes: 56, ttl: 64, dscp: 0, timeoutMs: TIMEOUT_MS }
const LOOPBACK = [127, 0, 0, 1]

/** One echo request to this host itself, the way the probes go. */
export async function checkPing(): Promise<Finding> {
  let prober: NativeProber | undefined
  const { promise: result, resolve, reject } = Promise.withResolvers<DataView>()
  try {
    prober = createProber({
      onResults: (buffer) => resolve(new DataView(buffer.slice(0, ProbeResultLayout.size).buffer)),
      onError: reject,
    })
    const namespace = await prober.open(-1, ECHO)
    prober.schedule(requestOf(namespace), 1)
    const timer = setTimeout(() => reject(new Error('no result')), TIMEOUT_MS * 2)
    const view = await result.finally(() => clearTimeout(timer))
    if (view.getUint8(ProbeResultLayout.outcome) === ProbeOutcome.reply) {
      const rttMs = view.getFloat64(ProbeResultLayout.rttSeconds, true) * 1000
      return ok('ping', `127.0.0.1 answered in ${rttMs.toFixed(3)} ms`)
    }
    return failed(`127.0.0.1 did not answer (errno ${view.getInt32(ProbeResultLayout.errno, true)})`)
  } catch (error) {
    return failed(reasonOf(error))
  } finally {
    prober?.close()
  }
}

function requestOf(namespace: number): Uint8Array {
  const bytes = new Uint8Array(ProbeRequestLayout.size)
  new DataView(bytes.buffer).setUint32(ProbeRequestLayout.namespace, namespace, true)
  bytes[ProbeRequestLayout.family] = 4
  bytes.set(LOOPBACK, ProbeRequestLayout.address)
  return bytes
}

function failed(found: string): Finding {
  return {
    check: 'ping',
    status: 'degraded',
    found,
    costs: 'no probes: round-trip times and losses are those of TCP alone',
    fix: 'run as root, or grant CAP_NET_RAW; see that no firewall drops ICMP on lo',
  }
}
