import { createWriteStream, openSync } from 'node:fs'
import type { Writable } from 'node:stream'

/** More than this waiting to be written: what comes is dropped, a debugging aid must not fill the memory. */
const MAX_BUFFERED_BYTES = 64 * 2 ** 20

export interface Output {
  write(text: string): void
  /** Resolves when all is written, or after `timeoutMs`; files are closed. */
  close(timeoutMs: number): Promise<void>
}

/** Called once for each path that cannot be written to any more. */
export type OnOutputError = (path: string, error: NodeJS.ErrnoException) => void

/**
 * Plain text to several places; `stdout` and `stderr` by name, everything else a file that is appended to.
 * @throws when a file cannot be opened
 */
export function openOutputs(paths: readonly string[], onError: OnOutputError): Output {
  const streams = new Map<string, Writable>()
  const ends: (() => Promise<void>)[] = []
  for (const path of new Set(paths)) {
    const shared = path === 'stdout' ? process.stdout : path === 'stderr' ? process.stderr : undefined
    const stream = shared ?? openFile(path)
    const fail = (error: NodeJS.ErrnoException) => {
      if (streams.delete(path)) onError(path, error)
    }
    stream.on('error', fail)
    streams.set(path, stream)
    ends.push(() => (shared === undefined ? finish(stream) : flush(stream).finally(() => stream.off('error', fail))))
  }
  return {
    write(text) {
      for (const stream of streams.values()) {
        if (stream.writableLength < MAX_BUFFERED_BYTES) stream.write(text)
      }
    },
    async close(timeoutMs) {
      const { promise: timedOut, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, timeoutMs)
      await Promise.race([Promise.all(ends.map((end) => end())), timedOut])
      clearTimeout(timer)
      streams.clear()
    },
  }
}

function openFile(path: string): Writable {
  try {
    return createWriteStream('', { fd: openSync(path.replace(/^file:\/\//, ''), 'a', 0o666) })
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    throw new Error(`output_paths: cannot open "${path}" for appending: ${code}`, { cause: error })
  }
}

const flush = (stream: Writable) => new Promise<void>((resolve) => stream.write('', () => resolve()))

const finish = (stream: Writable) =>
  new Promise<void>((resolve) => {
    if (stream.closed) return resolve()
    stream.once('close', resolve)
    stream.end()
  })
