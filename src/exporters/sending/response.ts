import { bytesFields, integerField, stringField } from './protobuf-reader.ts'

/** The backend took the request but not all of its points. */
export interface PartialSuccess {
  readonly rejectedPoints: number
  readonly message: string
}

/**
 * What an ExportMetricsServiceResponse rejects: undefined when nothing. A Collector sends an empty partial_success
 * with every success, others an empty body.
 *
 * @throws {RangeError} when the bytes are not a protobuf message
 * @see opentelemetry-proto collector/metrics/v1/metrics_service.proto
 */
export function decodeExportResponse(bytes: Uint8Array): PartialSuccess | undefined {
  const partial = bytesFields(bytes, 1).at(-1)
  if (partial === undefined) return undefined
  const rejectedPoints = integerField(partial, 1)
  const message = stringField(partial, 2)
  return rejectedPoints === 0 && message === '' ? undefined : { rejectedPoints, message }
}
