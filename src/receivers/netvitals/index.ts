import type { ReceiverFactory } from '../../component/types.ts'
import { type Config, config } from './config.ts'
import { createReceiver } from './receiver.ts'

export const factory: ReceiverFactory<Config> = {
  kind: 'receiver',
  type: 'netvitals',
  stability: 'alpha',
  description: 'TCP connections and retransmits of every container of this host, from the kernel.',
  config,
  create: createReceiver,
}
