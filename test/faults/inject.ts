import { dropBehind } from './firewall.ts'
import { startLine } from './line.ts'
import { hasNetem, netem } from './netem.ts'
import type { Effect, Emulation, End, Fault, Path } from './types.ts'

export interface InjectOptions {
  /** Prefer the stand-ins to a netem that the kernel has: to test them. */
  readonly withoutNetem?: boolean
}

/**
 * Does something to the packets of these paths until it is stopped: by tc netem where the kernel has it, otherwise by
 * nftables (drops) and the delay line in user space.
 */
export async function inject(effect: Effect, paths: readonly Path[], options: InjectOptions = {}): Promise<Fault> {
  const undo: (() => void | Promise<void>)[] = []
  /** Whose packets, by what does it. */
  const means = new Map<string, Set<string>>()
  let stopped = false
  const fault: Fault = {
    means: [],
    async stop() {
      if (stopped) return
      stopped = true
      for (const step of undo.toReversed()) await step()
    },
  }
  try {
    if (effect === 'partition') drop(paths, 100)
    else if (!options.withoutNetem && paths.every(({ from }) => hasNetem(from.namespace))) byNetem(effect, paths)
    else if (isPlainLoss(effect)) drop(paths, effect.loss.percent)
    else await byLine(effect, paths)
  } catch (error) {
    await fault.stop()
    throw error
  }
  return { ...fault, means: [...means].map(([how, names]) => `${how} ${[...names].join(' and ')}`) }

  function note(how: string, { name }: End): void {
    means.set(how, (means.get(how) ?? new Set()).add(name))
  }

  function drop(paths: readonly Path[], percent: number): void {
    for (const path of paths) {
      undo.push(dropBehind(path, percent))
      note(`nftables ${percent === 100 ? 'drop' : 'random drop'} behind the eth0 of`, path.from)
    }
  }

  function byNetem(emulation: Emulation, paths: readonly Path[]): void {
    const bySender = Map.groupBy(paths, ({ from }) => from)
    for (const [from, of] of bySender) {
      const to: End[] = of.map((path) => path.to)
      undo.push(netem(from, to, emulation))
      note(`tc ${emulation.bandwidth ? 'tbf' : 'netem'} on the eth0 of`, from)
    }
  }

  async function byLine(emulation: Emulation, paths: readonly Path[]): Promise<void> {
    for (const path of paths) {
      const line = await startLine(path, emulation)
      undo.push(() => line.stop())
      note('a delay line before the eth0 of', path.from)
    }
  }
}

function isPlainLoss(emulation: Emulation): emulation is Emulation & Required<Pick<Emulation, 'loss'>> {
  const { loss, ...rest } = emulation
  return loss?.correlationPercent === 0 && Object.keys(rest).length === 0
}
