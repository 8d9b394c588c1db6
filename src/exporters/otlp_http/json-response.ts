import type { PartialSuccess } from '../sending/response.ts'

/**
 * What an ExportMetricsServiceResponse as OTLP/JSON rejects: undefined when nothing. An int64 is a string or a number.
 * @throws {Error} when it is not a JSON object
 */
export function parseJsonResponse(body: Uint8Array): PartialSuccess | undefined {
  const response: unknown = JSON.parse(new TextDecoder().decode(body))
  if (!isObject(response)) throw new Error('it is not an object')
  const partial = response.partialSuccess
  if (!isObject(partial)) return undefined
  const rejectedPoints = Number(partial.rejectedDataPoints ?? 0) || 0
  const message = String(partial.errorMessage ?? '')
  return rejectedPoints === 0 && message === '' ? undefined : { rejectedPoints, message }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
