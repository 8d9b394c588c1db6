// netvitals itself, with the tests' own components beside the real ones.

import { main } from '../../../src/commands/index.ts'
import { COMPONENTS } from '../../../src/component/components.ts'
import { createRegistry } from '../../../src/component/registry.ts'
import { createTestComponents } from '../../support/components.ts'

const { entries } = createTestComponents()
process.exitCode = await main(process.argv.slice(2), createRegistry([...COMPONENTS, ...entries]))
setTimeout(() => process.exit(), 200).unref()
