import { matchesGlob } from 'node:path'
import type { Identity } from './identity.ts'
import type { CgroupIdentity } from './parse-path.ts'

/** Globs by what they are held against; all of the words of one entry must match, each by one of its globs. */
export interface ContainerMatch {
  readonly namespaces?: readonly string[]
  readonly pod_labels?: Readonly<Record<string, string>>
  readonly names?: readonly string[]
  readonly images?: readonly string[]
  readonly units?: readonly string[]
  readonly cgroups?: readonly string[]
}

/** Whether its series are wanted, by what is known of it now. */
export type ContainerFilter = (container: CgroupIdentity, identity: Identity | undefined) => boolean

/** Undefined: everything is wanted. */
export function filterOf({
  include,
  exclude,
}: {
  include: readonly ContainerMatch[]
  exclude: readonly ContainerMatch[]
}): ContainerFilter | undefined {
  return include.length === 0 && exclude.length === 0 ? undefined : createContainerFilter(include, exclude)
}

/** `include` empty: all but `exclude`. What isn't known of a container matches no glob. */
export function createContainerFilter(
  include: readonly ContainerMatch[],
  exclude: readonly ContainerMatch[],
): ContainerFilter {
  return (container, identity) =>
    (include.length === 0 || include.some((each) => matches(each, container, identity))) &&
    !exclude.some((each) => matches(each, container, identity))
}

function matches(match: ContainerMatch, container: CgroupIdentity, identity: Identity | undefined): boolean {
  const pod = identity?.pod
  const labels = Object.entries(match.pod_labels ?? {})
  return (
    one(match.namespaces, pod?.namespace) &&
    labels.every(([key, glob]) => one([glob], pod?.labels[key])) &&
    one(match.names, pod?.containerName, identity?.name, container.name) &&
    one(match.images, identity?.image) &&
    one(match.units, container.unit) &&
    // A path: `*` does not cross a `/`, `**` does.
    (empty(match.cgroups) || match.cgroups!.some((glob) => matchesGlob(container.key, glob)))
  )
}

const empty = (globs: readonly string[] | undefined) => globs === undefined || globs.length === 0

function one(globs: readonly string[] | undefined, ...values: readonly (string | undefined)[]): boolean {
  return empty(globs) || values.some((value) => value !== undefined && globs!.some((glob) => like(value, glob)))
}

/** `*` any characters, `?` one: names and images have no hierarchy that a glob should mind. */
function like(value: string, glob: string): boolean {
  const pattern = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${pattern}$`, 's').test(value)
}
