import { bytesFields, integerField, stringField } from '../sending/protobuf-reader.ts'
import type { Failed } from '../sending/retry.ts'

/** gRPC status codes by number. @see https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const

export const DEADLINE_EXCEEDED = 4
const RESOURCE_EXHAUSTED = 8

/** @see opentelemetry-proto docs/specification.md "Failures" */
const RETRYABLE = new Set(['CANCELLED', 'DEADLINE_EXCEEDED', 'ABORTED', 'OUT_OF_RANGE', 'UNAVAILABLE', 'DATA_LOSS'])

/** `statusDetails` is the trailer grpc-status-details-bin, a google.rpc.Status. */
export function failureOf(code: number, details: string, statusDetails?: Uint8Array): Failed {
  const name = NAMES[code] ?? `status ${code}`
  const throttleMs = statusDetails === undefined ? undefined : retryDelayMs(statusDetails)
  const retryable = RETRYABLE.has(name) || (code === RESOURCE_EXHAUSTED && throttleMs !== undefined)
  return { sent: false, retryable, throttleMs, code: name, reason: `${name}: ${details}` }
}

/** The delay of a google.rpc.RetryInfo among a google.rpc.Status' details; undefined without one. */
function retryDelayMs(status: Uint8Array): number | undefined {
  try {
    for (const detail of bytesFields(status, 3)) {
      if (!stringField(detail, 1).endsWith('/google.rpc.RetryInfo')) continue
      const duration = bytesFields(bytesFields(detail, 2).at(-1) ?? new Uint8Array(), 1).at(-1) ?? new Uint8Array()
      return integerField(duration, 1) * 1000 + integerField(duration, 2) / 1e6
    }
  } catch {
    // Not a Status: the code alone has to do.
  }
  return undefined
}
