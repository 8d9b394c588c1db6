import type { z } from 'zod'
import { duration, invalid, list, mapOf, object, oneOf, string } from '../../../config/fields.ts'

const globs = (what: string) => list(string()).prefault([]).describe(`${what}: globs, one of which must match.`)

const CONDITIONS = 'namespaces, pod_labels, names, images, units or cgroups'

const match = object({
  namespaces: globs('Kubernetes namespace'),
  pod_labels: mapOf(string())
    .prefault({})
    .describe('Labels of the pod, each with a glob for its value; all must match.'),
  names: globs("Name of the container, in its pod or its runtime's"),
  images: globs('Image, as its author wrote it'),
  units: globs('systemd unit'),
  cgroups: globs('Path of the cgroup, of which `*` matches one level and `**` any; `host` for what is in no container'),
}).superRefine((match, ctx) => {
  if (Object.values(match).some((condition) => Object.keys(condition).length > 0)) return
  ctx.addIssue(invalid('matches every container: no condition is given', { remedy: `write ${CONDITIONS}` }))
})

const runtime = object({
  type: oneOf(['docker', 'podman', 'cri']).describe('What it speaks: cri for containerd and CRI-O.'),
  socket: string().describe('Path of its unix socket.'),
})

/** `containers:` of the receiver; receiver.ts turns it into ContainersOptions and HostOptions. */
export const containersConfig = object({
  runtimes: list(runtime)
    .optional()
    .describe('Runtimes that are asked for names; those with a well-known socket when absent, none when empty.'),
  host_root: string()
    .prefault('/')
    .describe("Where the host's root directory is mounted: the well-known sockets are looked for below it."),
  resolve_timeout: duration({ min: 0, max: 60_000 })
    .prefault('3s')
    .describe(
      "How long a container's first export waits for its name, up to 1 m; then it is exported as its cgroup's path tells.",
    ),
  include: list(match).prefault([]).describe('Containers whose series are wanted; all of them when empty.'),
  exclude: list(match).prefault([]).describe('Containers whose series are not wanted, whatever include says.'),
  pod_labels: list(string())
    .prefault([])
    .describe('Labels of pods that become resource attributes, k8s.pod.label.<key>.'),
  pod_annotations: list(string())
    .prefault([])
    .describe('Annotations of pods that become resource attributes, k8s.pod.annotation.<key>.'),
  cgroup_root: string()
    .optional()
    .describe('Mount point of the cgroup2 hierarchy of the host; found in /proc/self/mountinfo when absent.'),
  host_id: string()
    .optional()
    .describe('host.id, e.g. the cloud instance id; the machine id of the host, or else of its hardware, when absent.'),
  host_name: string().optional().describe("host.name; the host's own name when absent."),
  node_name: string()
    .optional()
    .describe('k8s.node.name; the environment variable NODE_NAME or K8S_NODE_NAME when absent.'),
  cluster_name: string().optional().describe('k8s.cluster.name; left out when absent.'),
})

export type ContainersConfig = z.output<typeof containersConfig>
