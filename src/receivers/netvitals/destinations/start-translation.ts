import { reasonOf } from '../../../errors.ts'
import { lacking } from '../kernel/capabilities.ts'
import { createConntrack } from '../kernel/conntrack.ts'
import { createNamespaceFinder } from '../kernel/namespace-finder.ts'
import type { TranslationConfig } from './config.ts'
import { createTranslatedNamespaces } from './translated-namespaces.ts'
import { createTranslation, type Translation, type TranslationOptions } from './translation.ts'

export interface StartTranslationOptions extends Pick<TranslationOptions, 'onAnswer' | 'cgroupOf' | 'report'> {
  readonly config: TranslationConfig
  /** Mount point of the cgroup2 hierarchy, where it is known. */
  readonly cgroupRoot: string | undefined
}

/** Undefined, and reported as down, where this process may not ask. */
export function startTranslation({ config, cgroupRoot, ...options }: StartTranslationOptions): Translation | undefined {
  const missing = lacking(['CAP_NET_ADMIN'])
  if (missing.length > 0) {
    options.report(
      'down',
      `who answers a translated address is not known: asking connection tracking takes ${missing.join(' and ')}; set destinations::translation::enabled to false or add it`,
    )
    return undefined
  }
  const statusOf = together(options.report)
  try {
    return createTranslation({
      ...options,
      report: statusOf('asking'),
      maxRate: config.max_rate,
      createConntrack,
      createNamespaces: (conntrack) =>
        createTranslatedNamespaces({
          conntrack,
          finder: createNamespaceFinder({ cgroupRoot }),
          nodes: config.node_namespaces,
          reportNodes: statusOf('nodes'),
          reportContainers: statusOf('containers'),
        }),
    })
  } catch (error) {
    // Without the addon nothing runs: the receiver cannot start.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_CONNTRACK') throw error
    options.report('down', `who answers a translated address is not known: ${reasonOf(error)}`)
    return undefined
  }
}

/** One status for several: down while one of them is. */
function together(report: TranslationOptions['report']): (source: string) => TranslationOptions['report'] {
  const down = new Map<string, string>()
  return (source) =>
    (status, detail = '') => {
      if (status === 'ok') down.delete(source)
      else down.set(source, detail)
      if (down.size === 0) report('ok')
      else report('down', [...down.values()].join('; '))
    }
}
