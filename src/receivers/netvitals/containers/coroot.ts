import { unescapeUnit } from './parse-path.ts'
import type { Container } from './types.ts'

/**
 * `container_id` as Coroot's node agent writes it (its cgroup.go and registry.go), for `naming: coroot`:
 * `/k8s/<namespace>/<pod>/<container>`, `/docker/<name>` for every container outside Kubernetes whatever its
 * runtime, `/system.slice/<unit>`, `/lxc/<name>`. A name that is not known is replaced by the id, and for a pod by
 * its uid. What that agent leaves out gets what is unique here: the unit's own path, `/host`.
 *
 * One difference: for a unit in a nested slice the agent writes the slice, so that all instances of a template are
 * one; here it is the unit.
 */
export function corootContainerId(container: Container): string {
  const { key, runtime, id, attributes } = container
  const text = (name: string) => (attributes[name] === undefined ? undefined : String(attributes[name]))
  if (runtime === 'host') return '/host'
  if (runtime === 'systemd') {
    const parts = key.split('/').slice(1)
    const ofUser = parts.some((part) => /^user@\d+\.service$/.test(part))
    return unescapeUnit(ofUser || parts.length < 3 ? key : `/${parts[0]}/${parts.at(-1)}`)
  }
  const name = text('k8s.container.name') ?? text('container.name') ?? id
  const pod = text('k8s.pod.name') ?? text('k8s.pod.uid')
  if (pod !== undefined) {
    return ['/k8s', text('k8s.namespace.name'), pod, name].filter((part) => part !== undefined).join('/')
  }
  if (runtime === 'nspawn') return unescapeUnit(key)
  return `/${runtime === 'lxc' ? 'lxc' : 'docker'}/${name}`
}
