// netvitals itself; on SIGUSR2 it writes what it holds at present, on one line of stdout.

import { readdirSync } from 'node:fs'
import { main } from '../../../src/commands/index.ts'

process.on('SIGUSR2', () => {
  globalThis.gc?.()
  const resources: Record<string, number> = {}
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1
  const fds = readdirSync('/proc/self/fd').length
  const { heapUsed } = process.memoryUsage()
  process.stdout.write(`holds ${JSON.stringify({ fds, heapUsed, resources })}\n`)
})
process.exitCode = await main(process.argv.slice(2))
setTimeout(() => process.exit(), 200).unref()
