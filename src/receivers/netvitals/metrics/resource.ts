import type { Attributes } from '@opentelemetry/api'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'

type Resource = ResourceMetrics['resource']

/**
 * The SDK's Resource, for attributes that are all there already: frozen, so that an encoder can keep its bytes by
 * identity, and without loading the SDK.
 */
export function createResource(attributes: Attributes): Resource {
  const own = Object.freeze(attributes)
  return Object.freeze({
    attributes: own,
    asyncAttributesPending: false,
    merge: (other: Resource | null) => (other ? createResource({ ...own, ...other.attributes }) : createResource(own)),
    getRawAttributes: () => Object.entries(own),
  }) as Resource
}
