import { codedError, reasonOf } from '../errors.ts'
import { COMPONENTS, type ComponentEntry, INSTEAD } from './components.ts'
import type { ComponentKind, Factory } from './types.ts'

export interface FoundComponent {
  readonly factory: Factory
  readonly schema: Factory['config']
  readonly renamedTo?: string
  readonly configName?: string
}

/** The list as the configuration looks into it: sections by their names there, `receivers` for receiver. */
export interface ComponentRegistry {
  readonly entries: readonly ComponentEntry[]
  types(section: `${ComponentKind}s`): readonly string[]
  /** @throws NETVITALS_COMPONENT_LOAD when the component's module cannot be imported */
  find(section: `${ComponentKind}s`, type: string): Promise<FoundComponent | undefined>
  insteadOf(section: `${ComponentKind}s`, type: string): string | undefined
}

export function createRegistry(entries: readonly ComponentEntry[] = COMPONENTS): ComponentRegistry {
  const kindOf = (section: string): ComponentKind => section.slice(0, -1) as ComponentKind
  return {
    entries,
    types: (section) =>
      entries
        .filter(({ kind }) => kind === kindOf(section))
        .map(({ type }) => type)
        .sort(),
    async find(section, type) {
      const kind = kindOf(section)
      const entry = entries.find((item) => item.kind === kind && (item.type === type || item.aliases?.includes(type)))
      if (entry === undefined) return undefined
      const factory = await load(entry)
      return {
        factory,
        schema: factory.config,
        ...(entry.type === type ? {} : { renamedTo: entry.type }),
        ...(factory.configName === undefined ? {} : { configName: factory.configName }),
      }
    },
    insteadOf: (section, type) => {
      const table = INSTEAD[kindOf(section)]
      return Object.hasOwn(table, type) ? table[type] : undefined
    },
  }
}

async function load({ kind, type, load: importModule }: ComponentEntry): Promise<Factory> {
  try {
    return (await importModule()).factory
  } catch (error) {
    throw codedError('NETVITALS_COMPONENT_LOAD', { kind, type, reason: reasonOf(error) }, error)
  }
}
