import { ProbeRequestLayout as At, type NativeProber } from '../kernel/native.ts'

/** What one tick tells the prober to send. */
export interface Requests {
  push(namespace: number, target: number, delayUs: number, zone: number, family: 4 | 6, address: Uint8Array): void
  /** Hands over what was pushed since the last time. */
  flush(): void
}

export function createRequests(prober: Pick<NativeProber, 'schedule'>): Requests {
  let bytes = new Uint8Array(64 * At.size)
  let view = new DataView(bytes.buffer)
  let count = 0

  function grow() {
    const longer = new Uint8Array(bytes.length * 2)
    longer.set(bytes)
    bytes = longer
    view = new DataView(bytes.buffer)
  }

  return {
    push(namespace, target, delayUs, zone, family, address) {
      const at = count++ * At.size
      if (at + At.size > bytes.length) grow()
      view.setUint32(at + At.namespace, namespace, true)
      view.setUint32(at + At.target, target, true)
      view.setUint32(at + At.delayUs, delayUs, true)
      view.setUint32(at + At.zone, zone, true)
      view.setUint8(at + At.family, family)
      bytes.set(address, at + At.address)
    },
    flush() {
      if (count > 0) prober.schedule(bytes, count)
      count = 0
    },
  }
}
