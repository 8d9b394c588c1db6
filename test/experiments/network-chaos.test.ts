import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseNetworkChaos } from './network-chaos.ts'

const FOLDER = join(import.meta.dirname, '../../deploy/experiments')
const read = (name: string) => readFileSync(join(FOLDER, `${name}.yaml`), 'utf8')
const effectOf = (name: string) => parseNetworkChaos(read(name), name).effect

test('the documents say what their names promise', () => {
  assert.deepEqual(effectOf('partition'), 'partition')
  assert.deepEqual(effectOf('delay'), { delay: { latencyUs: 50_000, jitterUs: 10_000, correlationPercent: 0 } })
  assert.deepEqual(effectOf('loss'), { loss: { percent: 30, correlationPercent: 0 } })
  assert.deepEqual(effectOf('corrupt'), { corrupt: { percent: 30, correlationPercent: 0 } })
  assert.deepEqual(effectOf('bandwidth'), {
    bandwidth: { bytesPerSecond: 8_192, limitBytes: 2_000, bufferBytes: 2_000 },
  })
  const directions = ['partition', 'delay', 'loss'].map((name) => parseNetworkChaos(read(name), name).direction)
  assert.deepEqual(directions, ['to', 'both', 'to'])
})

test('every document parses, is named after its file, and selects by namespace and label or pod', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'))
  assert.equal(files.length, 5)
  for (const file of files) {
    const chaos = parseNetworkChaos(readFileSync(join(FOLDER, file), 'utf8'), file)
    assert.equal(`${chaos.name}.yaml`, file)
    assert.equal(chaos.durationMs, 120_000)
    assert.deepEqual(chaos.selector, {
      namespaces: ['shop'],
      labels: { app: 'front-end' },
      pods: undefined,
      mode: 'all',
    })
    const { labels, pods } = chaos.target!
    assert.ok(labels.app === 'catalog' || pods?.shop?.[0] === 'catalog-0', file)
  }
})

test('what Chaos Mesh fills in by default is filled in', () => {
  const text = read('delay')
    .replace(/ +jitter: .*\n +correlation: .*\n/, '')
    .replace('  direction: both\n', '')
  const chaos = parseNetworkChaos(text, 'delay')
  assert.equal(chaos.direction, 'to')
  assert.deepEqual(chaos.effect, { delay: { latencyUs: 50_000, jitterUs: 0, correlationPercent: 0 } })
  const own = parseNetworkChaos(text.replaceAll(/^ +namespaces: .*\n/gm, ''), 'delay')
  assert.deepEqual(own.selector.namespaces, ['shop'], "the document's own namespace")
})

const MISTAKES: [what: string, file: string, from: string | RegExp, to: string, message: string][] = [
  [
    'an unknown action',
    'delay',
    'action: delay',
    'action: slow',
    'x.yaml: spec.action: expected partition, delay, loss, corrupt, bandwidth, found "slow"',
  ],
  [
    'an action of Chaos Mesh that is not played',
    'delay',
    'action: delay',
    'action: duplicate',
    'x.yaml: spec.action: expected partition, delay, loss, corrupt, bandwidth, found "duplicate" (Chaos Mesh has it; it is not played here)',
  ],
  [
    'an unknown field',
    'delay',
    'jitter:',
    'wobble:',
    'x.yaml: spec.delay: unknown here: wobble; understood: latency, jitter, correlation',
  ],
  [
    'a field of Chaos Mesh that is not played',
    'loss',
    '  duration: 2m',
    '  externalTargets: [example.com]',
    'x.yaml: spec: unknown here: externalTargets; understood: action, mode, selector, direction, target, duration, delay, loss, corrupt, bandwidth',
  ],
  [
    'a number without quotes, which the API server refuses',
    'loss',
    /loss: ['"]30['"]/,
    'loss: 30',
    "x.yaml: spec.loss.loss: expected a percentage such as '30' in quotes, found 30",
  ],
  [
    'more than everything',
    'loss',
    /loss: ['"]30['"]/,
    'loss: "130"',
    `x.yaml: spec.loss.loss: expected a percentage from '0' to '100', found "130"`,
  ],
  [
    'no duration',
    'delay',
    'latency: 50ms',
    'latency: fast',
    `x.yaml: spec.delay.latency: expected a duration such as '50ms', found "fast"; units: us, ms, s, m, h`,
  ],
  [
    'no rate',
    'bandwidth',
    'rate: 8kbps',
    'rate: 8kbit',
    `x.yaml: spec.bandwidth.rate: expected a rate such as '1mbps' (bytes a second: bps, kbps, mbps, gbps, tbps), found "8kbit"`,
  ],
  [
    'a direction that is none',
    'loss',
    'direction: to',
    'direction: up',
    'x.yaml: spec.direction: expected to, from, both, found "up"',
  ],
  [
    'from nobody',
    'loss',
    /direction: to[\s\S]*/,
    'direction: from\n',
    'x.yaml: spec.target: missing, though the direction is from: whose packets?',
  ],
  [
    'the details of another action',
    'loss',
    'action: loss',
    'action: partition',
    'x.yaml: spec.loss: has no effect with action partition; remove it, or write action: loss',
  ],
  [
    'no details',
    'partition',
    'action: partition',
    'action: delay',
    'x.yaml: spec.delay: missing, though the action is delay',
  ],
  [
    'another mode',
    'loss',
    '  mode: all\n  selector',
    '  mode: fixed\n  selector',
    'x.yaml: spec.mode: expected one, all, found "fixed"',
  ],
  [
    'another kind',
    'loss',
    'kind: NetworkChaos',
    'kind: PodChaos',
    'x.yaml: kind: expected NetworkChaos, found "PodChaos"',
  ],
  ['two documents', 'loss', /$/, '---\nkind: NetworkChaos\n', 'x.yaml: expected one document, found 2'],
]
for (const [what, file, from, to, message] of MISTAKES) {
  test(`refuses ${what}`, () => {
    const text = read(file).replace(from, to)
    assert.notEqual(text, read(file))
    assert.throws(() => parseNetworkChaos(text, 'x.yaml'), { message })
  })
}

test('tells where YAML is broken', () => {
  assert.throws(() => parseNetworkChaos('spec: [', 'x.yaml'), /^Error: x\.yaml: .*line 1/)
})
