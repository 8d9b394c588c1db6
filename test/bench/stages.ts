/** The stages between the kernel's records and the series, as the receiver joins them. */
import { createConnections } from '../../src/receivers/netvitals/connections/connections.ts'
import { createLinks } from '../../src/receivers/netvitals/connections/links.ts'
import { createContainers } from '../../src/receivers/netvitals/containers/index.ts'
import { createDestinations } from '../../src/receivers/netvitals/destinations/index.ts'
import { createStore } from '../../src/receivers/netvitals/metrics/store.ts'

export function createStages() {
  const containers = createContainers()
  const store = createStore({ self: { 'service.name': 'netvitals', 'service.instance.id': 'bench' }, version: '0' })
  const links = createLinks({ store, containers, destinations: createDestinations(), clientAddress: false })
  const connections = createConnections({ store, links, listeners: false })
  return { containers, store, connections }
}
