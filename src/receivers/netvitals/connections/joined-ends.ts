import { Conn, Ends, type Records } from '../kernel/decode.ts'
import { Direction, Flag, Kind } from '../kernel/layout.gen.ts'
import { Inbound, Outbound } from '../metrics/metrics.gen.ts'
import type { LinkRef, Store } from '../metrics/types.ts'
import { ASK_FIRST, type Links } from './links.ts'
import { breakageColumn, failureColumn } from './outcome.ts'

export interface JoinedEndsOptions {
  readonly store: Pick<Store, 'add' | 'addRtt'>
  readonly links: Pick<Links, 'retain' | 'release' | 'linkOf'>
}

/**
 * Counts a record of Kind.ends: connections that nobody knows, each from its beginning to its end. False: nothing was
 * counted, because of each is to be asked who answers it.
 */
export function createJoinedEnds({ store, links }: JoinedEndsOptions): (r: Records, nowMs: number) => boolean {
  const { retain, release, linkOf } = links

  function add(link: LinkRef, column: number, sum: number): void {
    if (sum > 0) store.add(link, column, sum)
  }

  function addSums(r: Records, link: LinkRef, columns: typeof Outbound | typeof Inbound): void {
    add(link, columns.bytesSent, Conn.bytesSent(r))
    add(link, columns.bytesReceived, Conn.bytesReceived(r))
    add(link, columns.segmentsSent, Conn.segmentsSent(r))
    add(link, columns.retransmitsData, Conn.retransData(r))
    add(link, columns.retransmitsHandshake, Conn.retransHandshake(r))
  }

  return (r, nowMs) => {
    const count = Ends.count(r)
    const entry = retain(r, nowMs, undefined, count)
    if (entry === ASK_FIRST) return false
    const link = linkOf(entry)
    const outbound = Conn.direction(r) === Direction.outbound
    const columns = outbound ? Outbound : Inbound
    const flags = Conn.flags(r)
    if (flags & Flag.established) {
      store.add(link, columns.successfulConnects, count)
      if (outbound) store.add(link, Outbound.connectionTime, Conn.connectNs(r) / 1e9)
    }
    addSums(r, link, columns)
    if (Ends.kind(r) === Kind.fail) store.add(link, failureColumn(Conn.error(r), flags), count)
    else if (flags & Flag.broken) store.add(link, breakageColumn(Conn.error(r), columns), count)
    const withSrtt = Ends.kind(r) === Kind.end && flags & Flag.established ? Ends.withSrtt(r) : 0
    if (withSrtt > 0) store.addRtt(link, Ends.srttUs(r) / 1e6, withSrtt)
    release(entry, nowMs)
    return true
  }
}
