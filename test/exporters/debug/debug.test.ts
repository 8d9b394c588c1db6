import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { Batch, Host, Settings } from '../../../src/component/types.ts'
import { formatDetailed } from '../../../src/exporters/debug/detailed.ts'
import { factory } from '../../../src/exporters/debug/index.ts'
import { formatNormal } from '../../../src/exporters/debug/normal.ts'
import { createLogger } from '../../../src/log.ts'
import { fixture } from './fixture.ts'

const golden = (name: string) => readFileSync(join(import.meta.dirname, 'testdata', `${name}.golden`), 'utf8')
const conformance = join(import.meta.dirname, '../../../../shared/conformance/collector/debug_out')
const noConformance = existsSync(conformance) ? false : "the Collector's own test data is not beside the repository"

const host = { report: () => {} } as unknown as Host
const id = { type: 'debug', name: '', toString: () => 'debug' }

function create(config: object, lines: string[] = [], level: 'info' | 'error' = 'info') {
  const log = createLogger({ level, write: (line) => lines.push(line) })
  return factory.create({ id, log } as unknown as Settings, factory.config.parse(config))
}

function exportOnce(exporter: ReturnType<typeof create>, batch: Batch): number {
  let code = -1
  exporter.export(batch, (result) => {
    code = result.code
  })
  return code
}

for (const verbosity of ['basic', 'normal', 'detailed']) {
  test(`${verbosity} writes byte for byte what the Collector writes`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'netvitals-debug-'))
    try {
      const paths = [join(folder, 'one'), join(folder, 'two')]
      const exporter = create({ verbosity, use_internal_logger: false, output_paths: paths })
      await exporter.start(host)
      assert.equal(exportOnce(exporter, fixture), 0)
      await exporter.stop()
      for (const path of paths) assert.equal(readFileSync(path, 'utf8'), golden(verbosity))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
}

test('files are appended to, not begun anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netvitals-debug-'))
  try {
    const path = join(folder, 'out')
    for (let run = 0; run < 2; run++) {
      const exporter = create({ use_internal_logger: false, output_paths: [path] })
      await exporter.start(host)
      exportOnce(exporter, fixture)
      await exporter.stop()
    }
    assert.equal(readFileSync(path, 'utf8'), golden('basic').repeat(2))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the log of netvitals takes the counts as fields and the text as message', async () => {
  const lines: string[] = []
  const exporter = create({ verbosity: 'normal' }, lines)
  await exporter.start(host)
  exportOnce(exporter, fixture)
  await exporter.stop()
  assert.equal(lines.length, 2)
  assert.match(lines[0]!, /\tinfo\tMetrics\t\{"resource metrics":2,"metrics":7,"data points":\d+\}\n$/)
  assert.ok(lines[1]!.includes(`\tinfo\t${formatNormal(fixture)}`))
})

test("the log's level applies", async () => {
  const lines: string[] = []
  const exporter = create({ verbosity: 'detailed' }, lines, 'error')
  await exporter.start(host)
  assert.equal(exportOnce(exporter, fixture), 0)
  assert.deepEqual(lines, [])
})

test('a file that cannot be opened fails the start, with its path and the reason', async () => {
  const exporter = create({ use_internal_logger: false, output_paths: ['/nonexistent/folder/file'] })
  await assert.rejects(exporter.start(host), {
    message: 'output_paths: cannot open "/nonexistent/folder/file" for appending: ENOENT',
  })
  await exporter.stop()
})

test('a disk that is full is reported once and stops nobody', async () => {
  const reports: string[] = []
  const reporting = { report: (...args: unknown[]) => reports.push(args.slice(1).join(' ')) } as unknown as Host
  const exporter = create({ use_internal_logger: false, output_paths: ['/dev/full'] })
  await exporter.start(reporting)
  for (let times = 0; times < 3; times++) {
    assert.equal(exportOnce(exporter, fixture), 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await exporter.stop()
  assert.equal(reports.length, 1)
  assert.match(reports[0]!, /^\/dev\/full down ENOSPC/)
})

test('stop is safe before start and twice', async () => {
  const exporter = create({ use_internal_logger: false })
  await exporter.stop()
  await exporter.start(host)
  await exporter.stop()
  await exporter.stop()
})

test('empty batches print as the Collector prints them', () => {
  assert.equal(formatDetailed([]), '')
  assert.equal(formatNormal([]), '')
})

test("two metrics print as in the Collector's own test data", { skip: noConformance }, () => {
  assert.equal(formatDetailed(twoMetrics()), readFileSync(join(conformance, 'two_metrics.out'), 'utf8'))
})

test("numbers print as in the Collector's own test data for all types", { skip: noConformance }, () => {
  const all = readFileSync(join(conformance, 'metrics_with_all_types.out'), 'utf8')
  const gauges = formatDetailed(twoMetrics())
  assert.ok(all.startsWith(gauges))
})

/** Of the Collector's pdata/testdata: gauge-int, gauge-double. */
function twoMetrics(): Batch {
  const startTime = [1581452772, 321]
  const endTime = [1581452773, 789]
  const points = (...values: [object, number][]) =>
    values.map(([attributes, value]) => ({ startTime, endTime, attributes, value }))
  const gauge = (name: string, valueType: number, dataPoints: object[]) => ({
    descriptor: { name, description: '', unit: '1', valueType },
    aggregationTemporality: 1,
    dataPointType: 2,
    dataPoints,
  })
  const one = { 'label-1': 'label-value-1' }
  return [
    {
      resource: resourceFromAttributes({ 'resource-attr': 'resource-attr-val-1' }),
      scopeMetrics: [
        {
          scope: { name: '' },
          metrics: [
            gauge('gauge-int', 0, points([one, 123], [{ 'label-2': 'label-value-2' }, 456])),
            gauge(
              'gauge-double',
              1,
              points([{ ...one, 'label-2': 'label-value-2' }, 1.23], [{ ...one, 'label-3': 'label-value-3' }, 4.56]),
            ),
          ],
        },
      ],
    },
  ] as unknown as Batch
}
