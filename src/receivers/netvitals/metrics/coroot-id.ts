import type { Attributes } from '@opentelemetry/api'

/** A pod of a CronJob: its Job has the minute for which it was due in its name. */
const CRONJOB_POD = /^([a-z0-9-]+)-[0-9]{8}-[bcdfghjklmnpqrstvwxz2456789]{5}$/
/** A task of a Docker Swarm service: service, number, id. */
const SWARM_TASK = /^(.+)\.([0-9a-z]+)\.[0-9a-z]{25}$/

/**
 * `container_id` as Coroot's node agent writes it (its registry.go and cgroup.go): `/k8s/<namespace>/<pod>/<container>`,
 * `/k8s-cronjob/<namespace>/<cronjob>/<container>`, `/swarm/<stack>/<service>/<number>`, `/docker/<name>` for every
 * other container whatever its runtime, `/lxc/<name>`, `/system.slice/<unit>`. A name that is not known is replaced by
 * the id, and for a pod by its uid. What that agent leaves out gets what is unique here: a pod's sandbox its pod, a
 * user's unit or a machine its cgroup's path, and the rest `/host`.
 *
 * One difference: for a unit in a nested slice the agent writes the slice, so that all instances of a template are
 * one; here it is the unit.
 *
 * @param key the path of the container's cgroup, or `host`
 */
export function corootContainerId(resource: Attributes, key: string): string {
  const text = (name: string) => (resource[name] === undefined ? undefined : String(resource[name]))
  const path = (...parts: readonly (string | undefined)[]) => `/${parts.filter((part) => part !== undefined).join('/')}`
  const runtime = text('container.runtime.name')
  const id = text('container.id')
  const name = text('container.name') ?? id

  const pod = text('k8s.pod.name')
  const namespace = text('k8s.namespace.name')
  if (pod !== undefined) {
    const container = text('k8s.container.name')
    const cronjob = text('k8s.cronjob.name') ?? CRONJOB_POD.exec(pod)?.[1]
    if (cronjob !== undefined && container !== undefined) return path('k8s-cronjob', namespace, cronjob, container)
    return path('k8s', namespace, pod, container)
  }
  const uid = text('k8s.pod.uid')
  if (uid !== undefined) return path('k8s', uid, name)

  const unit = text('systemd.unit')
  if (unit !== undefined && id === undefined) return unitId(key, unit)
  if (runtime === 'systemd-nspawn') return readable(key)
  if (name === undefined) return path(text('service.name') ?? 'unknown_service')
  const [, service, number] = SWARM_TASK.exec(name) ?? []
  if (service !== undefined) {
    const stack = text('service.namespace')
    const own = stack !== undefined && service.startsWith(`${stack}_`) ? service.slice(stack.length + 1) : service
    return path('swarm', stack ?? '_', own, number)
  }
  return path(runtime === 'lxc' ? 'lxc' : 'docker', name)
}

function unitId(key: string, unit: string): string {
  const parts = key.split('/').slice(1)
  const ofUser = parts.some((part) => /^user@\d+\.service$/.test(part))
  return readable(ofUser || parts.length < 2 ? key : `/${parts[0]}/${unit}`)
}

/** As that agent does, of all that systemd escapes this alone. */
const readable = (name: string) => name.replaceAll('\\x2d', '-')
