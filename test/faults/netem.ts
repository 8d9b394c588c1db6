import { addressesOf } from './addresses.ts'
import type { Emulation, End } from './types.ts'

type Entered = Pick<End['namespace'], 'run'>

/** Whether this kernel has the queueing disciplines and the filter that Chaos Mesh uses, modules loaded as needed. */
export function hasNetem(namespace: Entered): boolean {
  try {
    classify(namespace, 'lo')
    queue(namespace, 'lo', ['netem', 'delay', '1ms'])
    send(namespace, 'lo', ['ip', 'dst', '127.0.0.1/32'])
    return true
  } catch {
    return false
  } finally {
    quietly(() => remove(namespace, 'lo'))
  }
}

/**
 * tc netem (tbf for a bandwidth) on the sender's eth0, for what goes to these ends alone: as Chaos Mesh does it.
 * @returns what takes it away
 */
export function netem(from: End, to: readonly End[], emulation: Emulation): () => void {
  const { namespace } = from
  classify(namespace, 'eth0')
  try {
    queue(namespace, 'eth0', discipline(emulation))
    for (const { ipv4, ipv6 } of to.map(addressesOf)) {
      for (const each of ipv4) send(namespace, 'eth0', ['ip', 'dst', `${each}/32`])
      for (const each of ipv6) send(namespace, 'eth0', ['ip6', 'dst', `${each}/128`])
    }
  } catch (error) {
    remove(namespace, 'eth0')
    throw error
  }
  return () => remove(namespace, 'eth0')
}

/** Arguments of `tc qdisc add`. */
export function discipline({ delay, loss, corrupt, bandwidth }: Emulation): string[] {
  const chance = (word: string, percent: number, correlation: number) => [word, `${percent}%`, `${correlation}%`]
  if (bandwidth) {
    const { bytesPerSecond, limitBytes, bufferBytes } = bandwidth
    const bytes = [`${bytesPerSecond}bps`, 'burst', `${bufferBytes}b`, 'limit', `${limitBytes}b`]
    return ['tbf', 'rate', ...bytes]
  }
  return [
    'netem',
    ...(delay ? ['delay', `${delay.latencyUs}us`, `${delay.jitterUs}us`, `${delay.correlationPercent}%`] : []),
    ...(loss ? chance('loss', loss.percent, loss.correlationPercent) : []),
    ...(corrupt ? chance('corrupt', corrupt.percent, corrupt.correlationPercent) : []),
  ]
}

/** Four bands, of which nothing goes to the last by itself. */
function classify(namespace: Entered, device: string): void {
  const priomap = '1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1'.split(' ')
  tc(namespace, ['qdisc', 'add', 'dev', device, 'root', 'handle', '1:', 'prio', 'bands', '4', 'priomap', ...priomap])
}

function queue(namespace: Entered, device: string, words: readonly string[]): void {
  tc(namespace, ['qdisc', 'add', 'dev', device, 'parent', '1:4', 'handle', '40:', ...words])
}

function send(namespace: Entered, device: string, match: readonly string[]): void {
  const [family = 'ip'] = match
  const protocol = family === 'ip6' ? 'ipv6' : 'ip'
  const place = ['dev', device, 'parent', '1:', 'protocol', protocol, 'prio', family === 'ip6' ? '2' : '1']
  tc(namespace, ['filter', 'add', ...place, 'u32', 'match', ...match, 'flowid', '1:4'])
}

function remove(namespace: Entered, device: string): void {
  tc(namespace, ['qdisc', 'del', 'dev', device, 'root'])
}

function tc(namespace: Entered, argv: readonly string[]): void {
  namespace.run(['tc', ...argv])
}

function quietly(action: () => void): void {
  try {
    action()
  } catch {}
}
