import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { countPoints } from '../../../src/component/data-model.ts'
import { cutBatch } from '../../../src/processors/batch/split.ts'
import { resourceOf } from '../../support/components.ts'

const batch = () => [resourceOf('a', [1, 2, 3], [4, 5]), resourceOf('b', [6, 7])]

describe('cutting a batch', () => {
  for (let max = 0; max <= 8; max++) {
    it(`gives ${Math.min(max, 7)} points and the rest, at ${max}`, () => {
      const [head, tail] = cutBatch(batch(), max)
      assert.equal(countPoints(head), Math.min(max, 7))
      assert.equal(countPoints(tail), 7 - Math.min(max, 7))
      const points = [...head, ...tail].flatMap(({ scopeMetrics }) =>
        scopeMetrics.flatMap(({ metrics }) =>
          metrics.flatMap(({ dataPoints }) => dataPoints.map(({ value }) => value)),
        ),
      )
      assert.deepEqual(points, [1, 2, 3, 4, 5, 6, 7])
    })
  }

  it('leaves whole what it does not go through', () => {
    const original = batch()
    const [head, tail] = cutBatch(original, 5)
    assert.equal(head[0], original[0])
    assert.equal(tail[0], original[1])
  })

  it('keeps resource, scope, descriptor and points the same objects in both parts', () => {
    const [original] = batch()
    const [[head], [tail]] = cutBatch([original!], 2) as [[typeof original], [typeof original]]
    for (const part of [head!, tail!]) {
      assert.equal(part.resource, original!.resource)
      assert.equal(part.scopeMetrics[0]!.scope, original!.scopeMetrics[0]!.scope)
      assert.equal(part.scopeMetrics[0]!.metrics[0]!.descriptor, original!.scopeMetrics[0]!.metrics[0]!.descriptor)
    }
    const before = original!.scopeMetrics[0]!.metrics[0]!.dataPoints
    assert.equal(head!.scopeMetrics[0]!.metrics[0]!.dataPoints[0], before[0])
    assert.equal(tail!.scopeMetrics[0]!.metrics[0]!.dataPoints[0], before[2])
  })

  it('changes nothing of the original', () => {
    const original = batch()
    cutBatch(original, 4)
    assert.deepEqual(original, batch())
  })

  it('makes no part without points', () => {
    for (let max = 1; max < 7; max++) {
      for (const part of cutBatch(batch(), max)) {
        for (const { scopeMetrics } of part) {
          for (const { metrics } of scopeMetrics) assert.ok(metrics.every(({ dataPoints }) => dataPoints.length > 0))
        }
      }
    }
  })
})
