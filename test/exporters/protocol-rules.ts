import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What was read out of the Collector's source about sending. */
export interface ProtocolRules {
  readonly grpc_retryable: Readonly<Record<string, boolean>>
  readonly grpc_dial_target: Readonly<Record<string, string>>
  readonly http_retryable: Readonly<Record<string, boolean>>
  readonly url_join: readonly { endpoint?: string; metrics_endpoint?: string; metrics: string }[]
}

/** From the folder that NETVITALS_TEST_CONFORMANCE names, else from `../shared/conformance/collector`. */
export function protocolRules(): { rules: ProtocolRules | undefined; skip: string | false } {
  const besides = join(import.meta.dirname, '..', '..', '..', 'shared', 'conformance', 'collector')
  const file = join(process.env.NETVITALS_TEST_CONFORMANCE || besides, 'protocol.json')
  if (!existsSync(file)) return { rules: undefined, skip: 'no protocol.json: set NETVITALS_TEST_CONFORMANCE' }
  return { rules: JSON.parse(readFileSync(file, 'utf8')), skip: false }
}
