import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ApiServer, ObjectJson } from './api-server.ts'

export const PATHS = {
  pods: '/api/v1/pods',
  services: '/api/v1/services',
  nodes: '/api/v1/nodes',
  endpointslices: '/apis/discovery.k8s.io/v1/endpointslices',
  replicasets: '/apis/apps/v1/replicasets',
  jobs: '/apis/batch/v1/jobs',
} as const

export type Recorded = Record<keyof typeof PATHS, ObjectJson[]>

/** See testdata/README.md. Read anew each time: a test may change its copy. */
export function readRecorded(): Recorded {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/cluster.json'), 'utf8'))
}

export function setAll(server: ApiServer, objects: Recorded): void {
  for (const [name, path] of Object.entries(PATHS)) server.set(path, objects[name as keyof Recorded])
}

export function named(objects: readonly ObjectJson[], name: string): ObjectJson {
  const found = objects.find(({ metadata }) => metadata.name.startsWith(name))
  if (found === undefined) throw new Error(`nothing is called ${name}`)
  return found
}

/** A kubeconfig that reaches that server; JSON is YAML. */
export function kubeconfigOf({ access }: ApiServer): object {
  const authority = (access.ca as { readonly file: string }).file
  return {
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server: access.server, 'certificate-authority': authority } }],
    users: [{ name: 'test', user: { token: 'test' } }],
  }
}
