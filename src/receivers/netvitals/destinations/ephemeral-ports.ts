import { readFileSync } from 'node:fs'
import type { EphemeralPortsConfig } from './config.ts'

/** What Linux begins at where nobody says otherwise. @see Documentation/networking/ip-sysctl.rst, ip_local_port_range */
const DEFAULT_FIRST = 32_768

/** Which ports are told together, and how many are not; undefined: none are. */
export function ephemeralPorts(
  { fold, from, keep }: EphemeralPortsConfig,
  readFirst = firstEphemeralPort,
): { readonly from: number; readonly keep: number } | undefined {
  return fold ? { from: from === 0 ? readFirst() : from, keep } : undefined
}

/** First port that this host gives out by itself: others do alike, so what is dialled at or above it may be such a one. */
export function firstEphemeralPort(path = '/proc/sys/net/ipv4/ip_local_port_range'): number {
  try {
    const first = Number(readFileSync(path, 'utf8').trim().split(/\s+/)[0])
    return first >= 1 && first <= 65_535 ? first : DEFAULT_FIRST
  } catch {
    return DEFAULT_FIRST
  }
}
