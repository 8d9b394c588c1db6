import { reasonOf } from '../../errors.ts'
import { stringField } from '../sending/protobuf-reader.ts'
import { decodeExportResponse, type PartialSuccess } from '../sending/response.ts'
import type { SendOutcome } from '../sending/retry.ts'
import { parseJsonResponse } from './json-response.ts'
import { parseRetryAfterMs } from './retry-after.ts'

export interface HttpAnswer {
  readonly status: number
  /** Without its parameters, in lower case; '' without one. */
  readonly contentType: string
  readonly retryAfter: string | undefined
  readonly location: string | undefined
  /** Its beginning, where it is long. */
  readonly body: Uint8Array
}

const PROTOBUF = 'application/x-protobuf'
const JSON_TYPE = 'application/json'

/** @see opentelemetry-proto docs/specification.md "OTLP/HTTP Response" */
const RETRYABLE = new Set([429, 502, 503, 504])
/** Answers whose Retry-After counts. */
const THROTTLING = new Set([429, 503])
const MAX_MESSAGE_LENGTH = 256

/** What the Collector's exporter makes of an answer; `url` is for the reason. */
export function outcomeOf(answer: HttpAnswer, url: string, nowMs = Date.now()): SendOutcome {
  const { status } = answer
  if (status >= 200 && status < 300) return { sent: true, partialSuccess: partialSuccessOf(answer) }
  const message = messageOf(answer)
  const retryAfterMs = THROTTLING.has(status) ? parseRetryAfterMs(answer.retryAfter, nowMs) : undefined
  return {
    sent: false,
    retryable: RETRYABLE.has(status),
    throttleMs: retryAfterMs,
    code: `HTTP ${status}`,
    reason: `request to ${url} responded with HTTP Status Code ${status}${message === '' ? '' : `: ${message}`}`,
  }
}

/**
 * A 2xx took the data, whatever its body: backends send an empty one, an `{}`, or a word. Only what says to be an
 * ExportMetricsServiceResponse and is none is worth a line.
 */
function partialSuccessOf({ contentType, body }: HttpAnswer): PartialSuccess | undefined {
  if (body.length === 0) return undefined
  try {
    if (contentType === PROTOBUF) return decodeExportResponse(body)
    if (contentType === JSON_TYPE) return parseJsonResponse(body)
  } catch (error) {
    const message = `the response is not an ExportMetricsServiceResponse as ${contentType}: ${reasonOf(error)}`
    return { rejectedPoints: 0, message }
  }
  return undefined
}

/** What went wrong, in the backend's words: a google.rpc.Status by the specification, in practice often text. */
function messageOf({ status, contentType, location, body }: HttpAnswer): string {
  if (status >= 300 && status < 400 && location !== undefined) {
    return `it is elsewhere, and redirects are not followed: write the new address as endpoint`
  }
  return oneLine(contentType === PROTOBUF ? statusMessage(body) : new TextDecoder().decode(body))
}

function statusMessage(body: Uint8Array): string {
  try {
    return stringField(body, 2)
  } catch {
    return ''
  }
}

function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim()
  return line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line
}
