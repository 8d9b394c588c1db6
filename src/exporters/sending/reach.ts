import { reasonOf } from '../../errors.ts'
import type { Send } from './retry.ts'

/** What a protocol's client is, as far as it is needed here. */
interface Client {
  readonly send: Send
  readonly close: () => void
}

/** An ExportMetricsServiceRequest without metrics. */
const EMPTY = { proto: new Uint8Array(), json: new TextEncoder().encode('{}') }

/** One attempt at an empty request: undefined when the backend took it, else why not. Closes the client. */
export async function reach(
  client: Client | Promise<Client>,
  signal: AbortSignal,
  encoding: 'proto' | 'json' = 'proto',
): Promise<string | undefined> {
  let opened: Client | undefined
  try {
    opened = await client
    const outcome = await opened.send(EMPTY[encoding], signal)
    return outcome.sent ? undefined : outcome.reason
  } catch (error) {
    return reasonOf(error)
  } finally {
    opened?.close()
  }
}
