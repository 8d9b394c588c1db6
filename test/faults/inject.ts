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
  const means = new Set<string>()
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
  return { ...fault, means: [...means] }

  function drop(paths: readonly Path[], percent: number): void {
    for (const path of paths) {
      undo.push(dropBehind(path, percent))
      means.add(`nftables ${percent === 100 ? 'drop' : 'random drop'} behind ${path.from.name}'s eth0`)
    }
  }

  function byNetem(emulation: Emulation, paths: readonly Path[]): void {
    const bySender = Map.groupBy(paths, ({ from }) => from)
    for (const [from, of] of bySender) {
      const to: End[] = of.map((path) => path.to)
      undo.push(netem(from, to, emulation))
      means.add(`tc ${emulation.bandwidth ? 'tbf' : 'netem'} on ${from.name}'s eth0`)
    }
  }

  async function byLine(emulation: Emulation, paths: readonly Path[]): Promise<void> {
    for (const path of paths) {
      const line = await startLine(path, emulation)
      undo.push(() => line.stop())
      means.add(`a delay line on what ${path.from.name} sends`)
    }
  }
}

function isPlainLoss(emulation: Emulation): emulation is Emulation & Required<Pick<Emulation, 'loss'>> {
  const { loss, ...rest } = emulation
  return loss?.correlationPercent === 0 && Object.keys(rest).length === 0
}
