import { constants } from 'node:os'
import { Flag } from '../kernel/layout.gen.ts'
import { type Inbound, Outbound } from '../metrics/metrics.gen.ts'

const { ECONNABORTED, ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, EPIPE, ETIMEDOUT } = constants.errno

/** Column of failed_connects for an attempt that ended in SYN_SENT, from its socket's error (sk_err). */
export function failureColumn(errno: number, flags: number): number {
  // No SYN: no local port was left, or the four-tuple was taken.
  if (flags & Flag.noSyn) return Outbound.failedConnectsAddressNotAvailable
  switch (errno) {
    case 0: // closed by the application before an answer came
    case ECONNABORTED:
      return Outbound.failedConnectsAborted
    case ECONNREFUSED:
      return Outbound.failedConnectsRefused
    case ETIMEDOUT:
      return Outbound.failedConnectsTimedOut
    case EHOSTUNREACH:
      return Outbound.failedConnectsHostUnreachable
    case ENETUNREACH:
      return Outbound.failedConnectsNetUnreachable
    default:
      return Outbound.failedConnectsOther
  }
}

/** Column of broken_connections, from the socket's error (sk_err) when it left ESTABLISHED or CLOSE_WAIT for CLOSE. */
export function breakageColumn(errno: number, columns: typeof Outbound | typeof Inbound): number {
  switch (errno) {
    case 0: // this side gave it up: unread data, SO_LINGER 0, disconnect
    case ECONNABORTED:
      return columns.brokenConnectionsAborted
    case ECONNRESET:
    case EPIPE: // a reset after the peer's FIN
      return columns.brokenConnectionsReset
    case ETIMEDOUT:
      return columns.brokenConnectionsTimedOut
    default:
      return columns.brokenConnectionsOther
  }
}
