// The receiver in a mount namespace of the test's: collects for each line on its standard input, and writes what there is.
import { createInterface } from 'node:readline'
import { startAgent } from '../kernel/agent.ts'
import { pointsOf } from '../kernel/points.ts'

const downs: string[] = []
const agent = await startAgent({
  containers: { runtimes: [] },
  onDown: (part, detail) => downs.push(`${part}: ${detail}`),
})
console.log('{}')
for await (const _ of createInterface({ input: process.stdin })) {
  const points = pointsOf(await agent.collect(), { metric: 'container.net.tcp.successful_connects' })
  const connects = [...points].map(({ resource, attributes, value }) => ({ resource, attributes, value }))
  console.log(JSON.stringify({ connects, downs }))
}
await agent.stop()
