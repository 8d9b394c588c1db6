import type { z } from 'zod'
import { invalid, list, mapList, object, oneOf, secret, string } from '../../config/fields.ts'

import { checkTls, type TlsConfig } from './tls-config.ts'

/** Every compression that the Collector's configuration knows; a protocol has some of them. */
export const COMPRESSIONS = ['gzip', 'zlib', 'deflate', 'snappy', 'x-snappy-framed', 'zstd', 'lz4', 'none', ''] as const
export type Compression = (typeof COMPRESSIONS)[number]

export function compression() {
  return oneOf(COMPRESSIONS, { message: (found) => `unsupported compression type "${found}"` }).prefault('gzip')
}

export function headers() {
  return mapList(secret(), { within: 'clientconfig' }).prefault({}).describe('Sent with every request.')
}

/** Keys of the Collector's clients that stand for extensions: netvitals has none, so the start refuses them. */
export function extensionFields() {
  return {
    auth: object({ authenticator: string().describe("The extension's id.") })
      .optional()
      .describe('Refused at the start: there are no authenticator extensions; use headers.'),
    middlewares: list(object({ id: string().describe("The extension's id.") }))
      .prefault([])
      .describe('Refused at the start: there are no middleware extensions.'),
  }
}

interface ClientSettings {
  readonly timeout: number
  readonly tls: TlsConfig
}

/** What the Collector says of the settings that its clients share, under the places where it says it. */
export function checkClient({ timeout, tls }: ClientSettings, ctx: z.core.$RefinementCtx): void {
  if (timeout < 0) {
    const message = 'timeout value must be greater than or equal to 0'
    ctx.addIssue(invalid(message, { path: ['timeoutconfig'], remedy: 'timeout: 0 is no limit' }))
  }
  const problem = checkTls(tls)
  if (problem !== undefined) ctx.addIssue(invalid(problem, { path: ['clientconfig', 'tls'] }))
}
