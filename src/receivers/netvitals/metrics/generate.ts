import { readFileSync, writeFileSync } from 'node:fs'
import { documentation } from './document.ts'
import { type Metadata, readMetadata } from './metadata.ts'

/** What `npm run generate` makes of metadata.yaml: each file's address and its text. */
export function generated(): { url: URL; text: string }[] {
  const metadata = readMetadata(readFileSync(new URL('metadata.yaml', import.meta.url), 'utf8'))
  return [
    { url: new URL('metrics.gen.ts', import.meta.url), text: module(metadata) },
    { url: new URL('../documentation.md', import.meta.url), text: documentation(metadata) },
  ]
}

function module({ source, metrics, resourceAttributes, links }: Metadata): string {
  const lines = [
    '// Made from metadata.yaml by generate.ts (npm run generate). Do not edit.',
    "import type { LinkLayout, Metric, ResourceAttribute } from './schema.ts'",
    '',
    `export const scopeName = ${JSON.stringify(source.scope_name)}`,
    '',
    '/** In the order of metadata.yaml; `enabled` is the default of the setting `metrics: {<name>: {enabled}}`. */',
    `export const metrics = ${list(metrics)} as const satisfies readonly Metric[]`,
    '',
    "export type MetricName = (typeof metrics)[number]['name']",
    '',
    '/** `enabled` is the default of the setting `resource_attributes: {<name>: {enabled}}`. */',
    `export const resourceAttributes = ${list(resourceAttributes)} as const satisfies readonly ResourceAttribute[]`,
    '',
    "export type ResourceAttributeName = (typeof resourceAttributes)[number]['name']",
    '',
    '/** The rows of each kind of link. */',
    'export const links = {',
  ]
  for (const [kind, layout] of Object.entries(links)) {
    lines.push(`  ${kind}: {`, `    untilReleased: ${layout.untilReleased},`)
    lines.push(`    ownLimit: ${layout.ownLimit},`, '    columns: [')
    for (const column of layout.columns) lines.push(`      ${JSON.stringify(column)},`)
    lines.push('    ],', '  },')
  }
  lines.push('} as const satisfies Record<string, LinkLayout>')
  for (const [kind, layout] of Object.entries(links)) {
    const public_ = layout.columns.flatMap(({ name, role }, index) => (role ? [] : [`  ${name}: ${index},`]))
    lines.push('', `/** Columns of ${kind} links, for \`add\` and \`set\`. */`)
    lines.push(`export const ${kind[0]!.toUpperCase()}${kind.slice(1)} = {`, ...public_, '} as const')
  }
  return `${lines.join('\n')}\n`
}

function list(entries: readonly object[]): string {
  return `[\n${entries.map((entry) => `  ${JSON.stringify(entry)},`).join('\n')}\n]`
}

if (import.meta.main) for (const { url, text } of generated()) writeFileSync(url, text)
