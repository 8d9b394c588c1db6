import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createPortFolds } from '../../../../src/receivers/netvitals/connections/port-folds.ts'

const FROM = 32_768
const IDLE_MS = 600_000

function create(keep: number) {
  const folds = createPortFolds({ from: FROM, keep, idleMs: IDLE_MS })
  let entries = 0
  return {
    ...folds,
    /** Its number, and whether its port is told together with others. */
    open(port: number, nowMs = 0, isKnown = false): [entry: number, isFolded: boolean] {
      const entry = ++entries
      return [entry, folds.enter(entry, { group: 'a', port, isKnown }, nowMs)]
    },
  }
}

describe('ports that are told together', () => {
  it('leave a number to the next port when it was not used for long, not before', () => {
    const folds = create(1)
    const [stays] = folds.open(40_000)
    const [first] = folds.open(40_001)
    assert.ok(folds.has(first))
    const [other] = folds.open(40_000)
    folds.leave(other, 1_000)
    folds.leave(stays, 1_000)
    assert.ok(folds.open(40_002, 1_000 + IDLE_MS)[1], 'it may come back')
    assert.ok(!folds.open(40_003, 1_001 + IDLE_MS)[1])
    assert.ok(folds.open(40_000, 1_002 + IDLE_MS)[1], 'another has its place')
  })

  it('are none that somebody declared', () => {
    const folds = create(0)
    assert.ok(!folds.open(40_000, 0, true)[1])
    assert.ok(folds.open(40_000)[1])
  })

  it('are all ephemeral ones of a port mapper, from the first', () => {
    for (const mapper of [21, 111, 135]) {
      const folds = create(8)
      const [control, isFolded] = folds.open(mapper)
      assert.ok(!isFolded)
      assert.ok(folds.open(FROM)[1])
      assert.ok(!folds.open(FROM - 1)[1], 'of the others as many as are kept')
      folds.leave(control, 0)
      assert.ok(!folds.open(FROM + 1)[1], 'it is not called any more')
    }
  })

  it('are forgotten with the last of their address', () => {
    const folds = create(1)
    const [one] = folds.open(40_000)
    const [two] = folds.open(40_001)
    for (const entry of [one, two]) folds.leave(entry, 0)
    assert.ok(!folds.has(two))
    assert.ok(!folds.open(40_001)[1])
  })
})
