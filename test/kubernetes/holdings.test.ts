import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createHoldings } from '../../src/kubernetes/holdings.ts'

const AT = Date.parse('2026-01-01T12:00:00Z')
const seconds = (n: number) => AT + n * 1_000
const IP = '10.244.1.5'

/** The first pod has the address until 100 s, the second from 200 s on. */
function successors() {
  const holdings = createHoldings()
  holdings.hold(IP, 'first', seconds(0))
  holdings.release(IP, 'first', seconds(100))
  holdings.hold(IP, 'second', seconds(200))
  return holdings
}

describe('an address and who held it', () => {
  it('is the one of then', () => {
    const holdings = successors()
    assert.equal(holdings.at(IP, seconds(50)), 'first')
    assert.equal(holdings.at(IP, seconds(1_000_000)), 'second')
  })

  it("is nobody's between two", () => {
    assert.equal(successors().at(IP, seconds(150)), undefined)
  })

  it("is nobody's before the first and where none ever was", () => {
    assert.equal(successors().at(IP, seconds(-10)), undefined)
    assert.equal(successors().at('10.244.1.6', seconds(50)), undefined)
  })

  it('is held to the end of the second in which it ended', () => {
    assert.equal(successors().at(IP, seconds(100.9)), 'first')
    assert.equal(successors().at(IP, seconds(101.1)), undefined)
  })

  it('is held a moment before its status says so, as clocks differ, but not before its last holder has gone', () => {
    assert.equal(successors().at(IP, seconds(198.5)), 'second')
    const holdings = createHoldings()
    holdings.hold(IP, 'first', seconds(0))
    holdings.hold(IP, 'second', seconds(200))
    assert.equal(holdings.at(IP, seconds(199)), 'first')
  })

  it('is the newer one while the end of the older is not heard of', () => {
    const holdings = createHoldings()
    holdings.hold(IP, 'first', seconds(0))
    holdings.hold(IP, 'second', seconds(200))
    assert.equal(holdings.at(IP, seconds(201)), 'second')
    holdings.release(IP, 'first', seconds(300))
    assert.equal(holdings.at(IP, seconds(250)), 'second')
  })

  it('is not taken away from a newer holder when the older is forgotten', () => {
    const holdings = successors()
    holdings.forget(IP, 'first')
    assert.equal(holdings.at(IP, seconds(50)), undefined)
    assert.equal(holdings.at(IP, seconds(250)), 'second')
  })

  it('comes back to one that had let it go', () => {
    const holdings = successors()
    holdings.release(IP, 'second', seconds(300))
    holdings.hold(IP, 'first', seconds(400))
    assert.equal(holdings.at(IP, seconds(350)), undefined)
    assert.equal(holdings.at(IP, seconds(450)), 'first')
    assert.equal(holdings.at(IP, seconds(50)), 'first')
  })

  it('keeps the earliest begin that is known', () => {
    const holdings = createHoldings()
    holdings.hold(IP, 'pod', seconds(100))
    holdings.hold(IP, 'pod', seconds(40))
    holdings.hold(IP, 'pod', seconds(200))
    assert.equal(holdings.at(IP, seconds(50)), 'pod')
  })

  it('tells whether anybody has it now', () => {
    const holdings = createHoldings()
    holdings.hold(IP, 'pod', seconds(0))
    assert.ok(holdings.has(IP))
    holdings.release(IP, 'pod', seconds(1))
    assert.ok(!holdings.has(IP))
  })
})
