import { stringify } from 'yaml'
import type { ComponentRegistry } from '../component/registry.ts'
import type { ComponentKind } from '../component/types.ts'
import { standardProviders } from '../config/providers.ts'

const KINDS: readonly ComponentKind[] = ['receiver', 'processor', 'exporter', 'connector', 'extension']

/** YAML of what exists, laid out as the Collector's `components` lays it out. */
export function describeComponents({ entries }: ComponentRegistry, version: string): string {
  const sections = KINDS.map((kind) => [
    `${kind}s`,
    entries
      .filter((entry) => entry.kind === kind)
      .map(({ type, aliases, stability, description }) => ({
        name: type,
        ...(aliases === undefined ? {} : { aliases }),
        description,
        stability: { [kind === 'extension' ? 'extension' : 'metrics']: capitalize(stability) },
      })),
  ])
  const document = {
    buildinfo: { command: 'netvitals', description: 'TCP metrics of every container, from the kernel', version },
    ...Object.fromEntries(sections),
    providers: [...standardProviders.keys()].sort().map((scheme) => ({ scheme })),
  }
  return stringify(document, { indent: 4, lineWidth: 0 })
}

function capitalize(word: string): string {
  return word[0]!.toUpperCase() + word.slice(1)
}
