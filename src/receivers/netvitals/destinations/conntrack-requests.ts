import { ConnLayout } from '../kernel/layout.gen.ts'
import { ConntrackRequestLayout, type NativeConntrack } from '../kernel/native.ts'

const { size, token, first, second, sourcePort, destinationPort, family, source, destination } = ConntrackRequestLayout
const BATCH = 256

/** Questions that go to connection tracking together. */
export function createConntrackRequests(conntrack: Pick<NativeConntrack, 'lookup'>) {
  const bytes = new Uint8Array(BATCH * size)
  const view = new DataView(bytes.buffer)
  let count = 0

  function flush(): void {
    if (count > 0) conntrack.lookup(bytes, count)
    count = 0
  }

  return {
    /** @param record a whole struct nv_conn of an outbound connection */
    push(of: number, firstTable: number, secondTable: number, record: Uint8Array): void {
      if (count === BATCH) flush()
      const at = count++ * size
      view.setUint32(at + token, of, true)
      view.setUint32(at + first, firstTable, true)
      view.setUint32(at + second, secondTable, true)
      bytes.set(record.subarray(ConnLayout.localPort, ConnLayout.localPort + 2), at + sourcePort)
      bytes.set(record.subarray(ConnLayout.remotePort, ConnLayout.remotePort + 2), at + destinationPort)
      bytes[at + family] = record[ConnLayout.family]!
      bytes.set(record.subarray(ConnLayout.local, ConnLayout.local + 16), at + source)
      bytes.set(record.subarray(ConnLayout.remote, ConnLayout.remote + 16), at + destination)
    },
    flush,
  }
}
