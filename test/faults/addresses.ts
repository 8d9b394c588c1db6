import type { End } from './types.ts'

/** All that packets to this end are addressed to where they leave their sender. */
export function addressesOf({ namespace, dialled = [] }: End): Readonly<Record<'ipv4' | 'ipv6', readonly string[]>> {
  const all = [namespace.ipv4, ...(namespace.ipv6 === undefined ? [] : [namespace.ipv6]), ...dialled]
  return { ipv4: all.filter((address) => !address.includes(':')), ipv6: all.filter((address) => address.includes(':')) }
}
