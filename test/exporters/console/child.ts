import type { ExportResult } from '@opentelemetry/core'
import type { Settings } from '../../../src/component/types.ts'
import { factory } from '../../../src/exporters/console/index.ts'
import { cycle } from './scenario.ts'

/**
 * The exporter in a process of its own, fed like the receiver feeds it: so many cycles, one every so many
 * milliseconds, each in two batches. What is reported to the service goes to standard error.
 *
 * child.ts <config as JSON> <cycles> <milliseconds>
 */
const [, , json = '{}', cycles = '3', everyMs = '200'] = process.argv
const id = { type: 'console', name: '', toString: () => 'console' }
const exporter = factory.create({ id } as Settings, factory.config.parse(JSON.parse(json)))
await exporter.start({
  report: (component, part, status, detail) => console.error(`${component} ${part} ${status}: ${detail}`),
  fatal: (error) => console.error(`fatal: ${error.message}`),
  extension: () => undefined,
})
function setExitCode({ code }: ExportResult): void {
  process.exitCode ||= code
}

for (let number = 1; number <= Number(cycles); number++) {
  const batch = cycle(number)
  exporter.export(batch.slice(0, 2), setExitCode)
  exporter.export(batch.slice(2), setExitCode)
  await new Promise((resolve) => setTimeout(resolve, Number(everyMs)))
}
console.error('stopping')
await exporter.stop()
await exporter.stop()
console.error('stopped')
