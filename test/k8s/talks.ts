import type { Link } from '../../src/links/index.ts'
import type { Point } from '../e2e/otlp-json.ts'
import type { Row } from '../experiments/tables.ts'
import { SHOP } from './shop.ts'

/** Who calls whom, by workload, as both ends' netvitals see it: `front-end → catalog`. */
export type Talk = string

export const talk = (caller: unknown, called: unknown): Talk => `${caller} → ${called}`

/** Of a metric's point: the container is its resource. */
export function talkOfPoint({ resource, attributes }: Point): Talk {
  if (attributes.direction === 'inbound')
    return talk(attributes['k8s.src.owner.name'], resource['k8s.statefulset.name'])
  // What never got through has been translated by nobody: it is known by the Service.
  const called = attributes['k8s.dst.owner.name'] ?? attributes['k8s.dst.service.name']
  return talk(resource['k8s.deployment.name'], called)
}

/** What was shown of a talk, and by which of its ends. */
export interface Shown {
  readonly talk: Talk
  readonly direction: string
  readonly status: string
}

export function shownByLink({ source, destination, direction, status }: Link): Shown {
  return { talk: talk(plain(source.name), plain(destination.name)), direction, status }
}

export function shownByRow({ own, peer, direction, status }: Row): Shown {
  const [from, to] = direction === 'outbound' ? [own, peer] : [peer, own]
  return { talk: talk(plain(from), plain(to)), direction, status }
}

/** Without the namespace, which all have, and the port. */
const plain = (name: string) => name.replace(`${SHOP}/`, '').replace(/:\d+$/, '')
