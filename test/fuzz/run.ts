/**
 * Reads mutated configurations, 100,000 by default, and says what came of them.
 *
 *   node test/fuzz/run.ts [--documents N] [--seed N]
 */
import { parseArgs } from 'node:util'
import { fuzz } from './fuzz.ts'

const { values } = parseArgs({
  options: {
    documents: { type: 'string', default: '100000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
})
const seed = Number(values.seed)
console.log(`seed ${seed}`)
const { slowest, ...result } = await fuzz({ documents: Number(values.documents), seed })
console.table([result])
console.log(`slowest: ${JSON.stringify(slowest).slice(0, 300)}`)
