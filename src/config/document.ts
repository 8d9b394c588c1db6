import type { z } from 'zod'
import { type Description, describeField, isSwitches } from './describe.ts'
import { formatDuration } from './duration.ts'
import type { FieldInfo } from './field-info.ts'
import { KEY_DELIMITER } from './merge.ts'

/** A Markdown table of every key of a component: type and bounds, default, meaning. */
export function documentKeys(schema: z.core.$ZodType): string {
  const rows = rowsOf(schema, [])
  return ['| key | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

function rowsOf(schema: z.core.$ZodType, path: readonly string[]): string[] {
  const described = describeField(schema)
  const own = path.length === 0 ? [] : [row(path, described)]
  if (path.length > 0 && isSwitches(described))
    return [row([...path, '<name>', 'enabled'], { ...described, info: SWITCH })]
  const children = [...described.children].flatMap(([key, child]) => rowsOf(child, [...path, key]))
  const item = described.item === undefined ? undefined : describeField(described.item)
  const items = item === undefined || item.children.size === 0 ? [] : itemRows(described, path)
  return [...own, ...children, ...items]
}

const SWITCH: FieldInfo = { kind: 'boolean' }

function itemRows({ info, item }: Description, path: readonly string[]): string[] {
  const place = info.kind === 'list' ? [...path.slice(0, -1), `${path.at(-1)}[]`] : [...path, '<name>']
  return [...describeField(item!).children].flatMap(([key, child]) => rowsOf(child, [...place, key]))
}

function row(path: readonly string[], described: Description): string {
  const cells = [`\`${path.join(KEY_DELIMITER)}\``, typeOf(described), defaultOf(described), described.text]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
}

function typeOf({ info, item }: Description): string {
  const of = item === undefined ? '' : ` of ${typeOf(describeField(item))}`
  switch (info.kind) {
    case 'string':
      return info.secret ? 'text, kept secret' : 'text'
    case 'enum':
      return (info.values ?? []).map((word) => (word === '' ? '`""`' : `\`${word}\``)).join(', ')
    case 'integer':
    case 'number':
      return `${info.kind}${bounds(info, String)}`
    case 'duration':
      return `duration${bounds(info, shortDuration)}`
    case 'size':
      return `bytes${bounds(info, formatSize)}`
    case 'list':
    case 'map':
      return describeField(item!).children.size > 0 ? info.kind : `${info.kind}${of}`
    case 'object':
      return 'map'
    case 'id':
      return 'component id'
    default:
      return info.kind
  }
}

function bounds({ min, max }: FieldInfo, print: (value: number) => string): string {
  if (min !== undefined && max !== undefined) return `, ${print(min)} to ${print(max)}`
  if (min !== undefined) return `, at least ${print(min)}`
  return max === undefined ? '' : `, at most ${print(max)}`
}

/** `24h0m0s` is 24h to a reader. */
function shortDuration(ms: number): string {
  return formatDuration(ms)
    .replace(/(?<=m)0s$/, '')
    .replace(/(?<=h)0m$/, '')
}

function formatSize(bytes: number): string {
  const unit = ['GiB', 'MiB', 'KiB'].find((_, index) => bytes % 1024 ** (3 - index) === 0)
  return unit === undefined ? `${bytes} B` : `${bytes / 1024 ** (3 - ['GiB', 'MiB', 'KiB'].indexOf(unit))} ${unit}`
}

function defaultOf(described: Description): string {
  if (described.required) return 'required'
  const value = described.default
  if (value === undefined || isEmptyMap(value)) return ''
  return `\`${typeof value === 'string' && value !== '' ? value : JSON.stringify(value)}\``
}

function isEmptyMap(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
}
