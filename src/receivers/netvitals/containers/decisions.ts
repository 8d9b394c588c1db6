import { type DescribeOptions, describeContainer } from './describe.ts'
import type { ContainerFilter } from './filter.ts'
import type { Identity, IdentitySource, IdentitySourceName } from './identity.ts'
import type { CgroupIdentity } from './parse-path.ts'
import { createResolver } from './resolver.ts'
import type { Container } from './types.ts'

/** What a container is called and whether its series are wanted: decided by its path, or later by whoever knows more. */
export interface Decisions {
  /** As its path alone tells. Where somebody might know more, its first export is worth waiting with. */
  begin(container: CgroupIdentity): Container
  /** Asks who might know more. */
  ask(container: CgroupIdentity): void
  /** These are answered otherwise from now on. */
  again(containerIds: readonly string[]): void
  /** It ended. */
  end(key: string): void
  /** Who told what it is called; undefined: nobody but its path. */
  sourceOf(key: string): IdentitySourceName | undefined
  /** Containers that nobody knew yet and somebody might. */
  pending(): number
  stop(): void
}

export interface DecisionsOptions {
  readonly describing: DescribeOptions
  /** Of which containers series are wanted; all of them when absent. */
  readonly filter: ContainerFilter | undefined
  /** Sources there are now, the one to believe first. */
  readonly sources: () => readonly IdentitySource[]
  /** How long a container's first export waits for its name, milliseconds. */
  readonly resolveTimeoutMs: number
  /** The container of this key becomes another. True: it is there. */
  readonly identify: (key: string, container: Container) => boolean
  /** When a source can't be asked, or can again. */
  readonly report: (name: string, status: 'ok' | 'down', detail?: string) => void
  /** A clock that only goes forward, milliseconds. */
  readonly now: () => number
}

/** A decision, or a name, may be so late. */
const LATE_MS = 5_000

export function createDecisions(options: DecisionsOptions): Decisions {
  const { describing, filter, sources, resolveTimeoutMs, identify, report, now } = options
  const identities = new Map<string, Identity>()
  /** Timers of containers that may turn out to be unwanted. */
  const undecided = new Map<string, NodeJS.Timeout>()
  const resolver = createResolver({
    sources,
    report,
    lateMs: resolveTimeoutMs + LATE_MS,
    now,
    onFound(container, identity) {
      if (decide(container, identity)) identities.set(container.key, identity)
    },
  })

  /** By the name that was found, or because nobody said one in time. True: the container is there. */
  function decide(container: CgroupIdentity, identity?: Identity): boolean {
    clearTimeout(undecided.get(container.key))
    undecided.delete(container.key)
    return identify(container.key, decided(container, identity))
  }

  function decided(container: CgroupIdentity, identity?: Identity): Container {
    const described = describeContainer(container, describing, identity)
    return filter === undefined || filter(container, identity)
      ? described
      : Object.freeze({ ...described, excluded: true })
  }

  return {
    begin(container) {
      // The one before it.
      if (undecided.has(container.key)) decide(container)
      if (!sources().some((source) => source.mayKnow(container))) return decided(container)
      const unsureUntilMs = Date.now() + resolveTimeoutMs
      const described = describeContainer(container, describing)
      if (filter === undefined) return Object.freeze({ ...described, unsureUntilMs })
      undecided.set(container.key, setTimeout(decide, resolveTimeoutMs, container).unref())
      // Not before the decision, which comes by a timer.
      return Object.freeze({ ...described, unsureUntilMs: unsureUntilMs + LATE_MS, undecided: true })
    },
    ask(container) {
      if (container.id !== undefined || container.podUid !== undefined) resolver.want(container)
    },
    again: resolver.again,
    end(key) {
      resolver.end(key)
      identities.delete(key)
    },
    sourceOf: (key) => identities.get(key)?.source,
    pending: () => resolver.pending,
    stop() {
      resolver.stop()
      for (const timer of undecided.values()) clearTimeout(timer)
      undecided.clear()
    },
  }
}
