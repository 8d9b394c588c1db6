import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { countPoints } from '../../src/component/data-model.ts'
import { resourceOf } from '../support/components.ts'

describe('the points of a batch', () => {
  it('are counted, not its resources or metrics', () => {
    assert.equal(countPoints([resourceOf('a', [1, 2], [3]), resourceOf('b', [4])]), 4)
    assert.equal(countPoints([]), 0)
  })
})
