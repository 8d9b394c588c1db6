import type { z } from 'zod'
import { type Description, describeField } from './describe.ts'
import type { FieldInfo } from './field-info.ts'
import { KEY_DELIMITER } from './merge.ts'
import { serviceSection } from './service-section.ts'
import { SECTIONS, type Section } from './unmarshal.ts'

/** A JSON Schema of draft 7, which editors' YAML plug-ins know best. */
export type JsonSchema = { [keyword: string]: unknown }

/** One type that a section may have. */
export interface SchemaEntry {
  readonly section: Section
  readonly type: string
  readonly aliases?: readonly string[]
  readonly description: string
  readonly schema: z.core.$ZodType
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the configuration's own notation
const EXPRESSION_TEXT = 'Replaced when the configuration is read: ${env:NAME}, ${env:NAME:-default}, ${file:PATH} …'
const EXPRESSION = { $ref: '#/$defs/expression' }

/** Go's time.ParseDuration. */
const DURATION = String.raw`(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$`
const SIZE = String.raw`^\d+(?:\.\d+)? ?(?:B|KiB|MiB|GiB|kB|MB|GB)?$`
const NAME = String.raw`\s*/\s*[^\p{Z}\p{C}\p{S}]+\s*$`
const ID = String.raw`^\s*[a-zA-Z][0-9a-zA-Z_]{0,62}\s*$|^\s*[a-zA-Z][0-9a-zA-Z_]{0,62}` + NAME

/**
 * The schema of a whole file, for completion and checks in an editor. A file may be a part of a configuration, so
 * nothing is required of it; what it refuses, `validate` refuses. `${...}` may stand for any value.
 */
export function jsonSchemaOf(entries: readonly SchemaEntry[]): JsonSchema {
  const sections = SECTIONS.map((section) => [section, sectionOf(section, entries)])
  const service = { ...fieldSchema(serviceSection), description: 'What runs, and how it reports on itself.' }
  const defs = entries.map(({ section, type, description, schema }) => [
    nameOf(section, type),
    { ...settingsOf(schema), description },
  ])
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'netvitals configuration',
    type: ['object', 'null'],
    properties: Object.fromEntries([...sections, ['service', service]]),
    patternProperties: JOINED_KEYS,
    additionalProperties: false,
    $defs: {
      expression: {
        description: EXPRESSION_TEXT,
        type: 'string',
        pattern: String.raw`\$\{[^}]*\}`,
      },
      ...Object.fromEntries(defs),
    },
  }
}

/** `a::b: 1` is `a: {b: 1}` anywhere; what is behind it is not looked at. */
const JOINED_KEYS = { [KEY_DELIMITER]: {} }

function nameOf(section: Section, type: string): string {
  return `${section}.${type}`
}

function sectionOf(section: Section, entries: readonly SchemaEntry[]): JsonSchema {
  const own = entries.filter((entry) => entry.section === section)
  const patterns = own.flatMap(({ type, aliases = [], description }) => {
    const $ref = `#/$defs/${nameOf(section, type)}`
    const old = { allOf: [{ $ref }], deprecated: true, description: `An older name: write ${type}.` }
    return [
      [pattern(type), { allOf: [{ $ref }], description }],
      ...aliases.flatMap((alias) => [
        [`^${alias}$`, old],
        [pattern(alias), old],
      ]),
    ]
  })
  const types = own.map(({ type, description }) => [
    type,
    { allOf: [{ $ref: `#/$defs/${nameOf(section, type)}` }], description },
  ])
  return {
    description: SECTION_TEXTS[section],
    anyOf: [
      {
        type: ['object', 'null'],
        // The names again, as editors complete properties and not patterns.
        properties: Object.fromEntries(types),
        patternProperties: { ...Object.fromEntries(patterns), ...JOINED_KEYS },
        additionalProperties: false,
      },
      EXPRESSION,
    ],
  }
}

const SECTION_TEXTS: Readonly<Record<Section, string>> = {
  receivers: 'Where data comes from, by id: type or type/name.',
  processors: 'What changes data on its way, by id.',
  exporters: 'Where data goes, by id.',
  connectors: 'What joins pipelines, by id.',
  extensions: 'What runs beside the pipelines, by id.',
}

/** With a name, or spaces; the bare type is a property. */
function pattern(type: string): string {
  return String.raw`^(?!${type}$)\s*${type}(?:\s*$|${NAME})`
}

/** A component's settings: null is all defaults. */
function settingsOf(schema: z.core.$ZodType): JsonSchema {
  return nullable(fieldSchema(schema))
}

function nullable(schema: JsonSchema): JsonSchema {
  return { anyOf: [schema, { type: 'null' }] }
}

/** What one field takes, `${...}` included. */
function fieldSchema(schema: z.core.$ZodType): JsonSchema {
  const described = describeField(schema)
  const forms = formsOf(described)
  if (forms === undefined) return {}
  return { anyOf: [...forms, ...(takesAnyText(described.info) ? [] : [EXPRESSION])] }
}

/** Any text is text already. */
function takesAnyText({ kind }: FieldInfo): boolean {
  return kind === 'string'
}

/** A key of an object: with its sentence and its default, and null for that. */
function propertySchema(schema: z.core.$ZodType): JsonSchema {
  const described = describeField(schema)
  const forms = fieldSchema(schema)
  const known = Object.keys(forms).length === 0 || !takesNull(described) ? forms : nullableForms(forms)
  return {
    ...(described.text === '' ? {} : { description: described.text }),
    ...('default' in described ? { default: described.default } : {}),
    ...known,
  }
}

/** Null is zero to a number, so it is for one that may be. */
function takesNull({ required, info }: Description): boolean {
  const isNumber = info.kind === 'integer' || info.kind === 'number' || info.kind === 'duration'
  return !required && !(isNumber && ((info.min ?? 0) > 0 || (info.max ?? 0) < 0))
}

function nullableForms(forms: JsonSchema): JsonSchema {
  return { anyOf: [...(forms.anyOf as JsonSchema[]), { type: 'null' }] }
}

/** Each way in which a value may be written; undefined for anything. */
function formsOf(described: Description): JsonSchema[] | undefined {
  const { info } = described
  switch (info.kind) {
    case 'string':
      return [{ type: 'string' }]
    case 'boolean':
      return [{ type: 'boolean' }]
    case 'integer':
      return [{ type: 'integer', ...range(unsigned(info)) }]
    case 'number':
      return [{ type: 'number', ...range(info) }]
    case 'duration':
      return durationForms(info)
    case 'size':
      return [
        { type: 'string', pattern: SIZE },
        { type: 'integer', ...range({ ...info, min: info.min ?? 0 }) },
      ]
    case 'enum':
      return enumForms(info)
    case 'id':
      return [{ type: 'string', pattern: ID }]
    case 'list':
      return listForms(described)
    case 'map':
      return mapForms(described)
    case 'object':
      return [objectForm(described)]
    case 'any':
      return undefined
  }
}

function unsigned(info: FieldInfo): FieldInfo {
  return info.goType?.startsWith('uint') ? { ...info, min: info.min ?? 0 } : info
}

function range({ min, max }: FieldInfo, scale = 1): JsonSchema {
  return {
    ...(min === undefined ? {} : { minimum: min * scale }),
    ...(max === undefined ? {} : { maximum: max * scale }),
  }
}

/** Text with its unit, or a number of nanoseconds; a bound is checked on the number alone. */
function durationForms(info: FieldInfo): JsonSchema[] {
  const sign = info.min !== undefined && info.min >= 0 ? String.raw`^(?:\+|-(?=0))?` : '^[-+]?'
  const scale = info.bare === 'ms' ? 1 : 1e6
  return [
    { type: 'string', pattern: sign + DURATION },
    { type: 'number', ...range(info, scale) },
  ]
}

function enumForms({ values = [], ignoreCase }: FieldInfo): JsonSchema[] {
  if (!ignoreCase) return [{ enum: values }]
  const anyCase = values.map((word) =>
    word.replace(/[a-z]/gi, (letter) => `[${letter.toLowerCase()}${letter.toUpperCase()}]`),
  )
  return [{ enum: values }, { type: 'string', pattern: `^(?:${anyCase.join('|')})$` }]
}

/** A single text is split at its commas. */
function listForms({ item }: Description): JsonSchema[] {
  const items = item === undefined ? {} : fieldSchema(item)
  const itemKind = item === undefined ? 'any' : describeField(item).info.kind
  const fromText = itemKind === 'string' || itemKind === 'id' || itemKind === 'any' ? { type: 'string' } : { const: '' }
  return [{ type: 'array', items }, fromText]
}

function mapForms({ item, info }: Description): JsonSchema[] {
  const value = item === undefined ? {} : fieldSchema(item)
  const keys =
    info.keyPattern === undefined
      ? { additionalProperties: value }
      : {
          patternProperties: { [info.keyPattern]: value, ...JOINED_KEYS },
          additionalProperties: false,
        }
  const map = { type: 'object', ...keys }
  if (!info.pairs) return [map]
  const pair = {
    type: 'object',
    properties: { name: { type: 'string' }, value },
    required: ['name', 'value'],
  }
  return [map, { type: 'array', items: pair }]
}

function objectForm({ children }: Description): JsonSchema {
  const properties = [...children].map(([key, child]) => [key, propertySchema(child)])
  const required = [...children].filter(([, child]) => describeField(child).required).map(([key]) => key)
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    patternProperties: JOINED_KEYS,
    additionalProperties: false,
    ...(required.length === 0 ? {} : { required }),
  }
}
