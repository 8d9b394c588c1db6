import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig } from '../../src/config/index.ts'
import { createSwitchableLogger } from '../../src/log.ts'
import { buildService } from '../../src/service/service.ts'
import { createTestComponents } from './components.ts'

/** A service of the tests' own components, from YAML, with what it logged and what its components did. */
export async function serviceOf(yaml: string) {
  const components = createTestComponents()
  const lines: string[] = []
  const fatal: Error[] = []
  const unread: true[] = []
  const registry = createRegistry(components.entries)
  const configOf = (text: string) => loadConfig({ uris: [`yaml:${text}`], registry })
  const write = (line: string) => void lines.push(line)
  const logger = createSwitchableLogger({ level: 'info', write })
  const service = await buildService(await configOf(yaml), {
    version: '1.2.3',
    logger: { log: logger.log, prepare: (options) => logger.prepare({ ...options, write }) },
    onFatal: (error) => fatal.push(error),
    onUnread: () => unread.push(true),
  })
  return { ...components, service, lines, fatal, unread, configOf }
}
