import { createRegistry } from '../../src/component/registry.ts'
import { loadConfig } from '../../src/config/index.ts'
import { createLogger } from '../../src/log.ts'
import { buildService } from '../../src/service/service.ts'
import { createTestComponents } from './components.ts'

/** A service of the tests' own components, from YAML, with what it logged and what its components did. */
export async function serviceOf(yaml: string) {
  const components = createTestComponents()
  const lines: string[] = []
  const fatal: Error[] = []
  const config = await loadConfig({ uris: [`yaml:${yaml}`], registry: createRegistry(components.entries) })
  const service = await buildService(config, {
    version: '1.2.3',
    log: createLogger({ level: 'debug', write: (line) => lines.push(line) }),
    onFatal: (error) => fatal.push(error),
  })
  return { ...components, service, lines, fatal }
}
