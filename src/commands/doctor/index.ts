import { release } from 'node:os'
import type { Factory } from '../../component/types.ts'
import type { Config } from '../../config/index.ts'
import { configError } from '../../errors.ts'
import { takesUnicode, wantsColor } from '../../exporters/console/style.ts'
import type { ConfigurationOptions } from '../configuration.ts'
import { print } from '../print.ts'
import { checkCapabilities } from './capabilities.ts'
import { checkConntrack } from './conntrack.ts'
import { checkConfiguration, checkExporters } from './exporters.ts'
import { EXIT_CODES, type Finding, overall } from './finding.ts'
import { checkCgroups, checkRuntimes } from './host.ts'
import { checkKernel, checkTracing } from './kernel.ts'
import { checkPing } from './ping.ts'
import { reportAsJson, reportAsTable, type Subject } from './report.ts'

export interface DoctorOptions extends ConfigurationOptions {
  /** `table` or `json`. */
  readonly output: string
  readonly version: string
}

const FORMATS = ['table', 'json']
const NARROWEST = 60
const WIDEST = 100

/**
 * Tries on this host what `run` would do and tells what works: 0 when all does, 2 when parts are missing, 1 when it
 * cannot run.
 * @throws ConfigError of stage 'flags'
 */
export async function doctor({ output, version, ...options }: DoctorOptions): Promise<number> {
  if (!FORMATS.includes(output))
    throw configError('flags', [], `unrecognized output format: ${output}`, `write -o ${FORMATS.join(' or -o ')}`)
  const findings = await examine(options, version)
  const subject: Subject = {
    version,
    node: process.versions.node,
    kernel: release(),
    architecture: process.arch,
  }
  const { stdout, env } = process
  const width = Math.min(WIDEST, Math.max(NARROWEST, stdout.columns ?? 80))
  const look = { width, color: wantsColor('auto', stdout.isTTY === true, env), unicode: takesUnicode(env) }
  await print(output === 'json' ? reportAsJson(subject, findings) : reportAsTable(subject, findings, look))
  return EXIT_CODES[overall(findings)]
}

async function examine(options: ConfigurationOptions, version: string): Promise<Finding[]> {
  const checked = options.config.length === 0 ? undefined : await checkConfiguration(options)
  const config = checked?.config
  return [
    ...checkKernel(),
    ...(await checkTracing()),
    ...checkCapabilities(),
    checkCgroups(config === undefined ? undefined : cgroupRootOf(config)),
    ...(await checkRuntimes()),
    await checkConntrack(),
    await checkPing(),
    ...(checked === undefined ? [] : [checked.finding]),
    ...(config === undefined ? [] : await checkExporters(config, version)),
  ]
}

/** receivers::netvitals::containers::cgroup_root, of the first that sets it. */
function cgroupRootOf(config: Config<Factory>): string | undefined {
  const roots = [...config.receivers.values()].map(
    (part) => (part.config as { containers?: { cgroup_root?: string } }).containers?.cgroup_root,
  )
  return roots.find((root) => root !== undefined)
}
