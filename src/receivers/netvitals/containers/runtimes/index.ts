import type { IdentitySource } from '../identity.ts'
import { createRuntimeSource, type RuntimeSocket, wellKnownSockets } from './find.ts'

export interface RuntimesOptions {
  /** Undefined: the well-known ones that there are, looked for again and again. */
  readonly sockets: readonly RuntimeSocket[] | undefined
  readonly hostRoot: string
  readonly timeoutMs?: number
  /** A clock that only goes forward, milliseconds. */
  readonly now?: () => number
}

/** Sockets come with their daemons, minutes after us perhaps. */
const FRESH_MS = 1_000

/** The runtimes of this host, one source for each socket. */
export function createRuntimes({
  sockets,
  hostRoot,
  timeoutMs = 2_000,
  now = () => performance.now(),
}: RuntimesOptions) {
  const bySocket = new Map<string, IdentitySource>()
  let lookedMs = Number.NEGATIVE_INFINITY
  let current: readonly IdentitySource[] = []

  return {
    sources(): readonly IdentitySource[] {
      if (now() - lookedMs < FRESH_MS) return current
      lookedMs = now()
      current = (sockets ?? wellKnownSockets(hostRoot)).map((socket) => {
        const known = bySocket.get(socket.socket) ?? createRuntimeSource(socket, timeoutMs)
        bySocket.set(socket.socket, known)
        return known
      })
      return current
    },
    close(): void {
      for (const source of bySocket.values()) source.close()
      bySocket.clear()
      current = []
    },
  }
}
