import type { z } from 'zod'
import { booleanOrAuto, invalid, object, oneOf, string } from '../../../config/fields.ts'

/** `kubernetes:` of the receiver. */
export const kubernetesConfig = object({
  enabled: booleanOrAuto()
    .prefault('auto')
    .describe(
      'Whether the API server is asked who is who: auto where this runs in a pod, or a kubeconfig is set; true takes what the environment variable KUBECONFIG names too.',
    ),
  kubeconfig: string()
    .optional()
    .describe("Path of a kubeconfig with a token or a client certificate; the pod's service account when absent."),
  context: string().optional().describe("The kubeconfig's context; its current one when absent."),
  mode: oneOf(['cluster', 'node'])
    .prefault('cluster')
    .describe(
      'Pods that are watched: all of the cluster, or those of this node alone, for large clusters: the others are then named by their Services, without their workload.',
    ),
}).superRefine(({ enabled, kubeconfig, context }, ctx) => {
  if (enabled === 'false' || context === undefined || kubeconfig !== undefined || enabled === 'true') return
  ctx.addIssue(
    invalid('names a context of no kubeconfig', {
      path: ['context'],
      remedy: 'set kubernetes::kubeconfig too, or leave it out',
    }),
  )
})

export type KubernetesConfig = z.output<typeof kubernetesConfig>
