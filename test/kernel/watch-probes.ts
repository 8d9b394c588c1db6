import { createInterface } from 'node:readline'
import { startAgent } from './agent.ts'
import { pointsOf } from './points.ts'

/**
 * The receiver in a process of its own, whose capabilities its parent chose. Each line on standard input is answered
 * by one of JSON: what is down, and the latencies and active connections by container and address.
 */
const down: Record<string, string> = {}
const agent = await startAgent({
  probes: { interval: '1s', timeout: '300ms', linger: '3s' },
  onDown: (part, detail) => {
    down[part] = detail
  },
})
for await (const _ of createInterface({ input: process.stdin })) {
  const batch = await agent.collect()
  const values = (metric: string) =>
    Object.fromEntries(
      [...pointsOf(batch, { metric })].map(({ resource, attributes, value }) => [
        `${resource['container.id']} ${attributes['destination.address']}`,
        value,
      ]),
    )
  const latency = values('container.net.latency')
  process.stdout.write(`${JSON.stringify({ down, latency, active: values('container.net.tcp.active_connections') })}\n`)
}
await agent.stop()
