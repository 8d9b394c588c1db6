// A worker thread with a tracer of its own. workerData.ending: what it does once records came.
import { parentPort, workerData } from 'node:worker_threads'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'
import { options } from './tracing.ts'

type Ending = 'wait' | 'spin' | 'walk' | 'exit' | 'throw' | 'leave'
const ending: Ending = workerData.ending

let told = false
const tracer = new (loadAddon().Tracer)(
  options({
    ringBytes: 1 << 20,
    onRecords() {
      if (told) return
      told = true
      parentPort!.postMessage('records')
      if (ending === 'spin') for (;;);
      if (ending === 'exit') process.exit(7)
      if (ending === 'throw') throw new Error('from a callback')
      if (ending === 'leave') tracer.close()
    },
    onError(error) {
      if (ending === 'throw') throw error
    },
  }),
)
parentPort!.postMessage('open')
if (ending === 'walk')
  for (;;) await Promise.all([tracer.sample(), tracer.sample(), tracer.snapshot(-1), tracer.flush()])
