import type { Identity, IdentitySource } from '../identity.ts'
import { podOfLabels } from '../identity.ts'
import type { CgroupIdentity } from '../parse-path.ts'
import { getJson } from './unix-http.ts'

export interface DockerOptions {
  readonly name: 'docker' | 'podman'
  readonly socketPath: string
  readonly timeoutMs: number
}

/** Docker's API, which Podman speaks too. @see Docker Engine API, ContainerInspect */
export function createDockerSource({ name, socketPath, timeoutMs }: DockerOptions): IdentitySource {
  const ending = new AbortController()
  return {
    name,
    part: `${name} ${socketPath}`,
    mayKnow: ({ id, runtime }) => id !== undefined && (runtime === name || runtime === 'unknown') && isHexId(id),
    async lookup(container: CgroupIdentity) {
      const found = await getJson(socketPath, `/containers/${container.id}/json`, { timeoutMs, signal: ending.signal })
      return found === undefined ? undefined : readInspect(name, found)
    },
    close: () => ending.abort(),
  }
}

export const isHexId = (id: string) => /^[0-9a-f]{64}$/.test(id)

/** Whatever is not as documented is taken for absent. */
export function readInspect(source: 'docker' | 'podman', answer: unknown): Identity | undefined {
  const { Name, Config } = record(answer)
  const { Image, Labels } = record(Config)
  const labels = strings(Labels)
  const name = typeof Name === 'string' ? Name.replace(/^\//, '') : undefined
  if (!name) return undefined
  const pod = podOfLabels(labels, { labels, annotations: {} })
  return {
    source,
    name,
    runtimeName: source,
    ...(typeof Image === 'string' && Image !== '' && { image: Image }),
    labels,
    ...(pod && { pod }),
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function strings(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record(value)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
