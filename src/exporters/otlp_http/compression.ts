import { promisify } from 'node:util'
import { constants, deflate, gzip, zstdCompress } from 'node:zlib'
import type { Compression } from '../sending/client-config.ts'

type Compress = (bytes: Uint8Array) => Promise<Uint8Array>

const HUFFMAN_ONLY = -2

/** What the Collector says of a level that the compression does not have. */
export function checkCompression(type: Compression, level: number): string | undefined {
  if (type === 'none' || type === '' || type === 'zstd') return undefined
  const hasLevels = type === 'gzip' || type === 'zlib' || type === 'deflate'
  if (hasLevels ? level >= HUFFMAN_ONLY && level <= 9 : level === 0) return undefined
  return `unsupported parameters {Level:${level}} for compression type "${type}"`
}

/**
 * Compresses on a thread of its own; undefined where nothing is to be compressed. Go's `deflate` is, as in HTTP,
 * the zlib format.
 *
 * @throws {Error} naming the key, for what Node.js does not have
 */
export function createCompress(type: Compression, level: number): Compress | undefined {
  switch (type) {
    case 'none':
    case '':
      return undefined
    case 'gzip':
      return withZlib(promisify(gzip), level)
    case 'zlib':
    case 'deflate':
      return withZlib(promisify(deflate), level)
    case 'zstd': {
      const compress = promisify(zstdCompress)
      const params = level === 0 ? {} : { params: { [constants.ZSTD_c_compressionLevel]: Math.min(level, 22) } }
      return (bytes) => compress(bytes, params)
    }
    default:
      throw new Error(`compression: ${type} is not supported here; write gzip or zstd`)
  }
}

function withZlib(compress: (bytes: Uint8Array, options: object) => Promise<Uint8Array>, level: number): Compress {
  // As in the Collector, 0 is not "stored" but the default.
  const options = level === HUFFMAN_ONLY ? { strategy: constants.Z_HUFFMAN_ONLY } : { level: level === 0 ? -1 : level }
  return (bytes) => compress(bytes, options)
}
