import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { IdentitySource } from '../identity.ts'
import { createCriSource } from './cri.ts'
import { createDockerSource } from './docker.ts'

export type RuntimeType = 'docker' | 'podman' | 'cri'

export interface RuntimeSocket {
  readonly type: RuntimeType
  /** Path as this process sees it. */
  readonly socket: string
}

/** Where runtimes listen when nobody says otherwise; CRI first, because it knows more of a pod than Docker does. */
const WELL_KNOWN: readonly RuntimeSocket[] = [
  { type: 'cri', socket: '/run/containerd/containerd.sock' },
  { type: 'cri', socket: '/run/k3s/containerd/containerd.sock' },
  { type: 'cri', socket: '/run/k0s/containerd.sock' },
  { type: 'cri', socket: '/var/snap/microk8s/common/run/containerd.sock' },
  { type: 'cri', socket: '/run/crio/crio.sock' },
  { type: 'cri', socket: '/run/cri-dockerd.sock' },
  { type: 'docker', socket: '/run/docker.sock' },
  { type: 'podman', socket: '/run/podman/podman.sock' },
]

/** Sockets that are there now: the well-known ones, and those of users' own Podman, below `hostRoot`. */
export function wellKnownSockets(hostRoot = '/'): RuntimeSocket[] {
  const rootless = list(join(hostRoot, '/run/user')).map((uid) => ({
    type: 'podman' as const,
    socket: `/run/user/${uid}/podman/podman.sock`,
  }))
  return [...WELL_KNOWN, ...rootless]
    .map(({ type, socket }) => ({ type, socket: join(hostRoot, socket) }))
    .filter(({ socket }) => existsSync(socket))
}

export function createRuntimeSource({ type, socket: socketPath }: RuntimeSocket, timeoutMs: number): IdentitySource {
  if (type === 'cri') return createCriSource({ socketPath, timeoutMs })
  return createDockerSource({ name: type, socketPath, timeoutMs })
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
