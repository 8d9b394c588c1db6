// A prober in a process of its own, for what is done to a whole process: stopped, or given another clock.
//   ping-process.ts NAMESPACE TIMEOUT_MS
// A line of standard input: {"requests": […]}, {"counters": true}. A line of output for each batch of results.
import { createInterface } from 'node:readline'
import { createProber } from '../../src/receivers/netvitals/kernel/prober.ts'
import { echo, enter, type Request, readResults, requestBytes } from './probing.ts'

const [path, timeoutMs] = process.argv.slice(2)
const tell = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`)

const prober = createProber({
  onResults: (buffer, length) => tell({ results: readResults(buffer, length) }),
  onError: (error) => {
    throw error
  },
})
const netns = await enter(prober, path!, { ...echo, timeoutMs: Number(timeoutMs) })
tell({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  const { requests } = JSON.parse(line) as { requests?: Omit<Request, 'netns'>[] }
  if (requests) prober.schedule(requestBytes(requests.map((each) => ({ ...each, netns }))), requests.length)
  else tell({ counters: prober.counters() })
}
prober.close()
