import type { z } from 'zod'
import { object, string } from '../../../config/fields.ts'

/** `containers:` of the receiver; receiver.ts turns it into ContainersOptions and HostOptions. */
export const containersConfig = object({
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
