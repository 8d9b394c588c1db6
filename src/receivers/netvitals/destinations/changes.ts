import { formatAddress } from './address.ts'
import { parseCidr } from './cidr.ts'
import type { ChangedAddresses } from './types.ts'

/** Changes that come together are looked at together: a rollout is hundreds, and the first list thousands. */
const GATHER_MS = 100
/** An address that is let go still names its last holder for a second, by the resolution of Kubernetes' times. */
const AGAIN_MS = 1_500

/** Addresses of which something else may be told: gathered, told, and told again a moment later. */
export function createChanges(tell: (changed: ChangedAddresses) => void) {
  let gathered = new Set<string>()
  let gathering: NodeJS.Timeout | undefined
  const repeats = new Set<NodeJS.Timeout>()

  function flush(): void {
    gathering = undefined
    const changed = compile(gathered)
    gathered = new Set()
    tell(changed)
    const repeat = setTimeout(() => {
      repeats.delete(repeat)
      tell(changed)
    }, AGAIN_MS).unref()
    repeats.add(repeat)
  }

  return {
    add(addresses: readonly string[]): void {
      for (const address of addresses) gathered.add(address)
      if (gathered.size > 0) gathering ??= setTimeout(flush, GATHER_MS).unref()
    },
    close(): void {
      clearTimeout(gathering)
      gathering = undefined
      gathered.clear()
      for (const repeat of repeats) clearTimeout(repeat)
      repeats.clear()
    },
  }
}

/** Most of those that are asked about have not changed: their last 32 bits tell. */
function compile(addresses: ReadonlySet<string>): ChangedAddresses {
  const ends = new Set<number>()
  for (const address of addresses) {
    try {
      ends.add(Number(parseCidr(address).network & 0xffff_ffffn))
    } catch {
      // A name, as an object of the API may have it: no connection goes to it.
    }
  }
  return {
    has(bytes, offset, family) {
      const at = offset + (family === 4 ? 0 : 12)
      const end = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
      return ends.has(end) && addresses.has(formatAddress(bytes, offset, family))
    },
  }
}
