// A worker thread that asks connection tracking, and enters and leaves its namespace, until it is ended.
import { parentPort, workerData } from 'node:worker_threads'
import { createConntrack } from '../../src/receivers/netvitals/kernel/conntrack.ts'
import { ConntrackRequestLayout } from '../../src/receivers/netvitals/kernel/native.ts'

const ending: 'wait' | 'spin' | 'exit' | 'throw' = workerData.ending
const requests = new Uint8Array(1_000 * ConntrackRequestLayout.size)
let told = false

const conntrack = createConntrack({
  onAnswers() {
    if (told) return
    told = true
    parentPort!.postMessage('answers')
    if (ending === 'spin') for (;;);
    if (ending === 'exit') process.exit(7)
    if (ending === 'throw') throw new Error('from a callback')
  },
  onError(error) {
    throw error
  },
})
// Waiting for an answer keeps no thread alive.
setInterval(() => {}, 1_000)
for (;;) {
  const handle = await conntrack.open(-1)
  const view = new DataView(requests.buffer)
  for (let at = 0; at < requests.length; at += ConntrackRequestLayout.size) {
    view.setUint32(at + ConntrackRequestLayout.first, handle, true)
    requests[at + ConntrackRequestLayout.family] = 6
  }
  conntrack.lookup(requests, 1_000)
  conntrack.release(handle)
  await new Promise(setImmediate)
}
