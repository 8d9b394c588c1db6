import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readCorpus } from './corpus.ts'
import { fuzz } from './fuzz.ts'
import { createRandom, mutate } from './mutate.ts'

const MINUTE_MS = 60_000

describe('reading mutated configurations', () => {
  it('throws only ConfigErrors, each within a second, and never resolves beyond 64 MiB', async (test) => {
    // A seed of its own each day: what fails is told with it.
    const seed = Math.floor(Date.now() / 86_400_000)
    const result = await fuzz({ documents: 100_000, seed, maxMs: MINUTE_MS })
    test.diagnostic(JSON.stringify({ ...result, slowest: result.slowest.slice(0, 100) }))
    assert.ok(result.documents > 1000, `only ${result.documents} documents in a minute`)
    assert.ok(result.taken > 0 && result.refused > result.taken, JSON.stringify(result))
  })

  it('is repeated by its seed', () => {
    const corpus = readCorpus()
    const [a, b] = [createRandom(7), createRandom(7)]
    for (let i = 0; i < 100; i++) assert.equal(mutate(corpus, a), mutate(corpus, b))
  })
})
