import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workloadOf } from '../../../../src/receivers/netvitals/containers/workload.ts'

const long = 'a-name-that-is-so-long-that-kubernetes-cuts-it-before'

const CASES: readonly [what: string, pod: string, labels: Record<string, string>, expected: string | undefined][] = [
  ['a Deployment', 'front-end-58987ffbcd-2w9gz', { 'pod-template-hash': '58987ffbcd' }, 'Deployment front-end'],
  ['a hash in the name too', 'a-7d4b9-7d4b9-x5k2v', { 'pod-template-hash': '7d4b9' }, 'Deployment a-7d4b9'],
  ['a name that was cut within the hash', `${long}-58987${'ffbcd'}`, { 'pod-template-hash': '58987ffbcd' }, undefined],
  ['a hash that is not in the name', 'front-end-2w9gz', { 'pod-template-hash': '58987ffbcd' }, undefined],
  [
    'a DaemonSet',
    'kube-proxy-x5k2v',
    { 'pod-template-generation': '1', 'controller-revision-hash': '5c4f' },
    'DaemonSet kube-proxy',
  ],
  [
    'a DaemonSet whose name may be cut',
    `${long}-cut-x5k2v`.padStart(63, 'x'),
    { 'pod-template-generation': '1' },
    undefined,
  ],
  [
    'a StatefulSet',
    'db-primary-12',
    { 'statefulset.kubernetes.io/pod-name': 'db-primary-12' },
    'StatefulSet db-primary',
  ],
  ['a copied label of another pod', 'debug', { 'statefulset.kubernetes.io/pod-name': 'db-0' }, undefined],
  ['a Job', 'backup-29012345-x5k2v', { 'batch.kubernetes.io/job-name': 'backup-29012345' }, 'Job backup-29012345'],
  ['a pod of nobody', 'front-end-x5k2v', { app: 'front-end' }, undefined],
]

for (const [what, pod, labels, expected] of CASES) {
  test(`the workload of a pod by its labels: ${what}`, () => {
    const found = workloadOf(pod, labels)
    assert.equal(found && `${found.kind} ${found.name}`, expected)
  })
}
