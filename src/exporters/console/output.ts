import { closeSync, constants, fstatSync, openSync, write, writeSync } from 'node:fs'

/**
 * A file descriptor that never holds up the program. A terminal that is held (Ctrl-S) or a pipe that nobody reads
 * stops whoever writes to it: process.stdout in the main thread, the thread pool when the process wants to exit.
 * So it is opened anew in non-blocking mode, which leaves the mode of those who share it (the shell) alone.
 */
export interface Output {
  /** False while a write is under way: what is written then is dropped, the next drawing has it all. */
  readonly ready: boolean
  readonly closed: boolean
  write(text: string): void
  /** Resolves when the write under way is done, or after `timeoutMs`. */
  drain(timeoutMs: number): Promise<void>
  /** At once, from this thread, with no word about errors: for the last moment of a process. */
  writeLast(text: string): void
  /** Gives up what could not be written; safe twice. */
  close(): void
}

export interface OutputOptions {
  readonly fd: number
  /** Called once, when the reader is gone (EPIPE) or the descriptor fails; nothing is written from then on. */
  onClosed(error: NodeJS.ErrnoException): void
}

/** How long to wait while it takes nothing (EAGAIN). */
const RETRY_MS = 20

export function createOutput({ fd: inheritedFd, onClosed }: OutputOptions): Output {
  const fd = openNonBlocking(inheritedFd)
  let pending: Buffer | undefined
  let closed = false
  let inFlight = false
  let released = false
  let waiting: (() => void)[] = []

  function settle(): void {
    pending = undefined
    for (const resolve of waiting) resolve()
    waiting = []
  }

  /** Not while a write is under way: the number may be another file's the next moment. */
  function release(): void {
    if (inFlight || released) return
    released = true
    if (fd !== inheritedFd) closeSync(fd)
  }

  function writeRest(): void {
    if (pending === undefined || closed) return
    inFlight = true
    write(fd, pending, 0, pending.length, null, (error, written) => {
      inFlight = false
      if (closed) return release()
      if (error?.code === 'EAGAIN') {
        setTimeout(writeRest, RETRY_MS).unref()
      } else if (error !== null) {
        closed = true
        settle()
        onClosed(error)
      } else {
        pending = pending?.subarray(written)
        if (pending === undefined || pending.length === 0) settle()
        else writeRest()
      }
    })
  }

  return {
    get ready() {
      return !closed && pending === undefined
    },
    get closed() {
      return closed
    },
    write(text) {
      if (closed || pending !== undefined || text === '') return
      pending = Buffer.from(text)
      writeRest()
    },
    drain(timeoutMs) {
      if (pending === undefined) return Promise.resolve()
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, timeoutMs)
        waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    },
    writeLast(text) {
      if (closed) return
      try {
        writeSync(fd, text)
      } catch {
        // The terminal is gone or held: nothing more can be done for it.
      }
    },
    close() {
      closed = true
      settle()
      release()
    },
  }
}

/** Files never block, and would lose their offset; sockets cannot be opened again: these stay as they are. */
function openNonBlocking(fd: number): number {
  try {
    if (fstatSync(fd).isFile()) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  } catch {
    return fd
  }
}
