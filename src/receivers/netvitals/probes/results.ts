import { ProbeResultLayout as At, ProbeOutcome } from '../kernel/native.ts'
import { Probe } from '../metrics/metrics.gen.ts'
import type { LinkRef, Store } from '../metrics/types.ts'
import { isOwnFault, probeColumn } from './outcome.ts'

/** What a result is about. */
export interface Probed {
  readonly family: 4 | 6
  /** The containers that it is counted for; none once it is not pinged any more. */
  readonly members: readonly { readonly link: LinkRef }[]
  /** Since it was first seen. */
  answered: boolean
  /** Whether its latency is NaN though it has never answered. */
  nanUnanswered: boolean
  /** Probes scheduled whose outcome has not come. */
  outstanding: number
}

export interface ResultsOptions<Target extends Probed> {
  readonly store: Pick<Store, 'add' | 'set' | 'unset'>
  readonly onLoss: 'nan' | 'omit'
  readonly targetOf: (token: number) => Target | undefined
  /** After each result. */
  readonly onDone: (target: Target) => void
}

/** Writes results to the links of those whom they concern. A probe that was cancelled counts nowhere. */
export function applyResults<Target extends Probed>(
  buffer: Uint8Array,
  length: number,
  options: ResultsOptions<Target>,
): void {
  const { store, onLoss, targetOf, onDone } = options
  const view = new DataView(buffer.buffer, buffer.byteOffset, length)
  for (let at = 0; at + At.size <= length; at += At.size) {
    const target = targetOf(view.getUint32(at + At.target, true))
    if (!target) continue
    target.outstanding--
    const outcome = view.getUint8(at + At.outcome)
    if (outcome !== ProbeOutcome.cancelled) {
      const errno = view.getInt32(at + At.errno, true)
      const rtt = view.getFloat64(at + At.rttSeconds, true)
      const [type, code] = [view.getUint8(at + At.icmpType), view.getUint8(at + At.icmpCode)]
      const column = probeColumn(outcome, target.family, errno, type, code)
      if (outcome === ProbeOutcome.reply) target.answered = true
      const lost = !isOwnFault(outcome, errno) && onLoss === 'nan' && (target.answered || target.nanUnanswered)
      for (const { link } of target.members) {
        store.add(link, column, 1)
        if (outcome !== ProbeOutcome.reply) {
          if (lost) store.set(link, Probe.latency, Number.NaN)
          else store.unset(link, Probe.latency)
        } else if (rtt >= 0) {
          // Otherwise its sample was discarded for a step of the clock: the last one stands.
          store.set(link, Probe.latency, rtt)
        }
      }
    }
    onDone(target)
  }
}
