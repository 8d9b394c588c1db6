import type { ComponentRegistry } from '../component/registry.ts'
import { jsonSchemaOf, type SchemaEntry } from '../config/json-schema.ts'

/** JSON Schema of a whole configuration file, of the components that there are. */
export async function printSchema({ entries }: ComponentRegistry): Promise<string> {
  const loaded = entries.map(
    async ({ kind, type, aliases, description, load }): Promise<SchemaEntry> => ({
      section: `${kind}s`,
      type,
      description,
      schema: (await load()).factory.config,
      ...(aliases === undefined ? {} : { aliases }),
    }),
  )
  return `${JSON.stringify(jsonSchemaOf(await Promise.all(loaded)), null, 2)}\n`
}
