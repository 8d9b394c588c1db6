import { lacking } from '../kernel/capabilities.ts'
import { createNamespaceFinder } from '../kernel/namespace-finder.ts'
import { createProbes, type Probes, type ProbesOptions } from './probes.ts'

export type { Probes } from './probes.ts'

export interface ProbingOptions extends Omit<ProbesOptions, 'finder' | 'onError'> {
  /** Mount point of the cgroup2 hierarchy, where it is known. */
  readonly cgroupRoot: string | undefined
}

/** Begins to ping what containers talk to. Undefined, and reported as down, where this process may not. */
export function startProbes({ cgroupRoot, ...options }: ProbingOptions): Probes | undefined {
  const missing = lacking(['CAP_NET_RAW'])
  if (missing.length > 0) {
    options.report(
      'down',
      `nothing is pinged: an ICMP socket takes ${missing.join(' and ')}; set probes::enabled to false or add it`,
    )
    return undefined
  }
  try {
    return createProbes({
      ...options,
      finder: createNamespaceFinder({ cgroupRoot }),
      onError: (error) => options.report('down', `the results of probes could not be read: ${error.message}`),
    })
  } catch (error) {
    options.report('down', `nothing is pinged: ${(error as Error).message}`)
    return undefined
  }
}
