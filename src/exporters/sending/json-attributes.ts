import type { Attributes } from '@opentelemetry/api'
import type { Value } from './attributes.ts'
import { jsonDouble, jsonInteger, jsonString } from './json-writer.ts'
import { isInt64 } from './protobuf-writer.ts'

/** A list of KeyValue. @see opentelemetry-proto common.proto */
export function jsonAttributes(attributes: Attributes): string {
  return `[${Object.keys(attributes)
    .map((key) => `{"key":${jsonString(key)},"value":${anyValue(attributes[key])}}`)
    .join(',')}]`
}

/** Null and undefined are a value without content. */
function anyValue(value: Value): string {
  if (typeof value === 'string') return `{"stringValue":${jsonString(value)}}`
  if (typeof value === 'number') {
    return isInt64(value) ? `{"intValue":${jsonInteger(value)}}` : `{"doubleValue":${jsonDouble(value)}}`
  }
  if (typeof value === 'boolean') return `{"boolValue":${value}}`
  if (value === null || value === undefined) return '{}'
  if (value instanceof Uint8Array) return `{"bytesValue":"${Buffer.from(value).toString('base64')}"}`
  if (Array.isArray(value)) return `{"arrayValue":{"values":[${value.map(anyValue).join(',')}]}}`
  return `{"kvlistValue":{"values":${jsonAttributes(value as Attributes)}}}`
}
