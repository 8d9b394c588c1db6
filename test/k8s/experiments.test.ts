import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../e2e/child.ts'
import { buildCollector } from '../e2e/collector.ts'
import type { Point } from '../e2e/otlp-json.ts'
import { parsePage } from '../e2e/prometheus-text.ts'
import { noCluster } from './cluster.ts'
import {
  createScene,
  type Experiment,
  INTERVAL_MS,
  PATIENCE_MS,
  type Pair,
  type Scene,
  TIMEOUT_MS,
  WITH_COROOT,
} from './experiment-scene.ts'
import { CONTAINER, SHOP } from './shop.ts'
import { type Shown, talkOfPoint } from './talks.ts'

/** After so long every probe that was sent before a fault has its outcome; a busy machine may take a second more. */
const UNDER_WAY_MS = INTERVAL_MS + TIMEOUT_MS + 1_000
const TEST_MS = 5 * PATIENCE_MS
const AFFECTED = 'front-end → catalog'

const FAILED = 'container.net.tcp.failed_connects'
const PROBES = 'container.net.probes'
const RETRANSMITS = 'container.net.tcp.retransmits'

interface Expected {
  /** Of the pair, shown by links and consoles: at the caller's side, and at the server's where it can know. */
  readonly status: string
  readonly atServer: boolean
  /** How long the fault lasts at least. */
  readonly leastMs: number
}

interface Seen extends Omit<Experiment, 'begin'> {
  /** When the fault began, Unix milliseconds. */
  readonly fromMs: number
}

const collector = await buildCollector()

describe('the experiments between pods of a cluster', { skip: (await noCluster()) ?? collector.skip ?? false }, () => {
  let scene: Scene
  before(async () => {
    scene = await createScene(collector.path!)
  })
  after(() => scene?.[Symbol.asyncDispose]())

  /** Begins when all is well, looks at the numbers while the fault is there, and ends when all is well again. */
  async function play(name: string, expected: Expected, look: (seen: Seen) => void): Promise<void> {
    const { status, atServer, leastMs } = expected
    const { affected, others, begin } = scene.experiment(name)
    assert.deepEqual(
      affected.map(({ talk, from }) => [talk, from.spec.nodeName]).sort(),
      scene.cluster.nodes.map((node) => [AFFECTED, node.name]),
    )
    const ends = [
      ...affected.map(({ from }) => ({ node: from.spec.nodeName, direction: 'outbound' })),
      ...(atServer ? [{ node: affected[0]!.to.spec.nodeName, direction: 'inbound' }] : []),
    ]
    const isShown = (shown: readonly Shown[], direction: string) =>
      shown.some((each) => each.talk === AFFECTED && each.direction === direction && each.status === status)
    const byLinks = () => ends.every(({ node, direction }) => isShown(scene.links(node), direction))

    await scene.untilWell()
    const fault = await begin()
    const fromMs = Date.now()
    let meanwhile: readonly Shown[]
    try {
      await scene.until(`the links say ${status}`, byLinks)
      await scene.until(`the consoles say ${status}`, async () => {
        const tables = await scene.consoles(fromMs)
        return ends.every(({ node, direction }) => tables.get(node)!.some((table) => isShown(table, direction)))
      })
      await sleep(Math.max(leastMs - (Date.now() - fromMs), 0))
      assert.ok(byLinks(), `they go on saying ${status}`)
      meanwhile = scene.linksSince(fromMs)
      look({ fromMs, affected, others })
    } finally {
      await fault.stop()
    }
    await scene.untilWell()

    // A server that hears nothing any more is idle; of its last reply it may have heard no acknowledgement.
    const served = meanwhile.filter(({ talk, direction }) => talk === AFFECTED && direction === 'inbound')
    if (!atServer) assert.deepEqual(served.filter(isOther('ok', 'idle', status)), [])
    const bothSides = others.flatMap(({ talk }) => [`outbound ${talk}`, `inbound ${talk}`])
    const tables = await scene.consoles(fromMs)
    for (const shown of [scene.linksSince(fromMs), [...tables.values()].flat(2)]) {
      const rest = shown.filter(({ talk }) => talk !== AFFECTED)
      assert.deepEqual(new Set(rest.map(({ direction, talk }) => `${direction} ${talk}`)), new Set(bothSides))
      assert.deepEqual(rest.filter(isOther('ok', 'idle')), [])
    }
  }

  const isOf =
    ({ from, talk }: Pair) =>
    (point: Point) =>
      point.resource['k8s.pod.name'] === from.metadata.name && talkOfPoint(point) === talk
  const isElsewhere = (point: Point) => talkOfPoint(point) !== AFFECTED

  it('partition: the pair fails, its latency is NaN, and no other is touched', { timeout: TEST_MS }, async (t) => {
    await play('partition', { status: 'failed', atServer: false, leastMs: 15_000 }, ({ fromMs, affected, others }) => {
      for (const pair of affected) {
        const { from, to } = pair
        const lost = scene.latencies(pair, fromMs + UNDER_WAY_MS)
        assert.ok(lost.length > 0)
        for (const { value, attributes, resource } of lost) {
          assert.ok(Number.isNaN(value), `${from.metadata.name}: ${value}`)
          assert.equal(attributes['destination.address'], to.status.podIP)
          assert.deepEqual([attributes['k8s.dst.namespace'], attributes['k8s.dst.owner.name']], [SHOP, 'catalog'])
          assert.equal(resource['k8s.deployment.name'], 'front-end')
        }
        const isUnanswered = ({ attributes }: Point) =>
          ['timed_out', 'aborted'].includes(String(attributes['error.type']))
        const failed = scene.growth(FAILED, fromMs, (point) => isOf(pair)(point) && isUnanswered(point))
        t.diagnostic(`${from.metadata.name} on ${from.spec.nodeName}: ${failed} connects failed`)
        assert.ok(failed > 10, `${failed}`)
      }
      for (const pair of others) {
        const kept = scene.latencies(pair, fromMs)
        assert.ok(kept.length > 3)
        for (const { value } of kept) assert.ok(value > 0, `${pair.talk}: ${value}`)
      }
      assert.equal(scene.growth(FAILED, fromMs, isElsewhere), 0)
    })
  })

  it('delay: the pair is slow by what was added, and no other', { timeout: TEST_MS }, async (t) => {
    await play('delay', { status: 'slow', atServer: true, leastMs: 30_000 }, ({ fromMs, affected, others }) => {
      const millisecondsOf = (pair: Pair) =>
        scene.latencies(pair, fromMs + UNDER_WAY_MS).map(({ value }) => value * 1000)
      const slow = affected.map(millisecondsOf)
      for (const values of slow) {
        assert.ok(values.length > 5)
        for (const value of values) assert.ok(value > 10, `${value}`)
      }
      // 50 ± 10 ms each way: the median of so few is within 8 ms of 100. A busy machine adds, and takes nothing.
      const added = median(slow.flat())
      t.diagnostic(`median ${added} ms of ${slow.flat().length}`)
      assert.ok(added > 92 && added < 125, `${slow}`)
      for (const pair of others) assert.ok(median(millisecondsOf(pair)) < 10, `${pair.talk}: ${millisecondsOf(pair)}`)
    })
  })

  it('loss: the pair resends and is lossy, and no other', { timeout: TEST_MS }, async (t) => {
    await play('loss', { status: 'lossy', atServer: true, leastMs: 40_000 }, ({ fromMs, affected }) => {
      for (const pair of affected) {
        const { from } = pair
        const resent = scene.growth(RETRANSMITS, fromMs, isOf(pair))
        const outcomes = (result: string) =>
          scene.growth(
            PROBES,
            fromMs + UNDER_WAY_MS,
            (point) => isOf(pair)(point) && point.attributes.result === result,
          )
        const replies = outcomes('reply')
        const sent = replies + outcomes('timeout')
        t.diagnostic(`${from.metadata.name} on ${from.spec.nodeName}: ${resent} resent, ${replies} of ${sent} answered`)
        assert.ok(resent > 10, `${resent}`)
        assert.ok(sent >= 25, `${sent}`)
        // Binomial, 99.9 %.
        assert.ok(Math.abs(replies - sent * 0.7) <= 3.29 * Math.sqrt(sent * 0.3 * 0.7), `${replies} of ${sent}`)
      }
      assert.equal(scene.growth(RETRANSMITS, fromMs, isElsewhere), 0)
    })
  })

  it('naming: coroot answers the query for the failed link at the Collector beside it', {
    timeout: TEST_MS,
  }, async () => {
    await scene.netvitals.configure(WITH_COROOT)
    /** `container_net_latency_seconds{container_id="/k8s/<namespace>/<pod>/<container>", destination_ip="…"}` */
    async function query({ from, to }: Pair): Promise<number[]> {
      const node = scene.cluster.nodes.find(({ name }) => name === from.spec.nodeName)!
      const page = await node.sandbox.run(['/bin/busybox', 'wget', '-qO-', 'http://127.0.0.1:8889/metrics'])
      const containerId = `/k8s/${SHOP}/${from.metadata.name}/${CONTAINER}`
      return parsePage(page)
        .filter(({ name }) => name === 'container_net_latency_seconds')
        .filter(({ labels }) => labels.container_id === containerId && labels.destination_ip === to.status.podIP)
        .map(({ value }) => value)
    }
    async function untilAnswered(what: string, pairs: readonly Pair[], rule: (value: number) => boolean) {
      const isAnswered = async (pair: Pair) => {
        const values = await query(pair)
        return values.length === 1 && rule(values[0]!)
      }
      const all = async () => (await Promise.all(pairs.map(isAnswered))).every(Boolean) || undefined
      await eventually(what, all, PATIENCE_MS)
    }
    const isNumber = (value: number) => value > 0

    await untilAnswered('a number for every pair', scene.pairs, isNumber)
    const { affected, others, begin } = scene.experiment('partition')
    const fault = await begin()
    try {
      await untilAnswered('NaN for the pairs that are cut', affected, Number.isNaN)
      for (const pair of others) assert.ok((await query(pair)).every(isNumber), pair.talk)
    } finally {
      await fault.stop()
    }
    await untilAnswered('a number for every pair again', scene.pairs, isNumber)
  })
})

const isOther =
  (...statuses: readonly string[]) =>
  ({ status }: Shown) =>
    !statuses.includes(status)

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
