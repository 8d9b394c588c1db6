import { join } from 'node:path'
import { type Binary, buildGoProgram, programOf } from './go-build.ts'

const SOURCE = join(import.meta.dirname, 'collector')

let built: Promise<Binary> | undefined

/**
 * The tests' Collector: what NETVITALS_TEST_OTELCOL names, else built from `collector/` into the user's cache.
 * `skip` says why there is none: no Go, one too old, or no way to the modules. A build that fails otherwise throws.
 */
export function buildCollector(): Promise<Binary> {
  built ??= build(process.env)
  return built
}

/** As buildCollector, with an environment of the caller's and without its memory. */
export async function build(env: NodeJS.ProcessEnv): Promise<Binary> {
  const program = await programOf({ name: 'OpenTelemetry Collector', cacheName: 'otelcol', directory: SOURCE })
  // Cold, with nothing downloaded yet, it takes 2.5 minutes on two cores.
  return buildGoProgram({ ...program, variable: 'NETVITALS_TEST_OTELCOL', timeoutMs: 15 * 60_000 }, env)
}
