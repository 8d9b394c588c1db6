import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { renderScreen, type ScreenOptions } from '../../../src/exporters/console/screen.ts'
import { chooseGlyphs } from '../../../src/exporters/console/style.ts'
import { displayWidth } from '../../../src/exporters/console/text.ts'
import { createLinks, DEFAULT_THRESHOLDS, type GroupBy, type Round } from '../../../src/links/index.ts'
import { container, linkPoints, outbound, resourceMetrics } from '../../links/batches.ts'
import { cycle, INTERVAL_MS, START_MS } from './scenario.ts'

function roundAfter(cycles: number, groupBy: GroupBy = 'workload'): Round {
  const links = createLinks({ groupBy })
  for (let number = 1; number <= cycles; number++) links.add(cycle(number))
  return links.current()
}

function options(overrides: Partial<ScreenOptions>): ScreenOptions {
  return {
    width: 120,
    height: 50,
    maxRows: 50,
    color: false,
    groupBy: 'workload',
    host: 'localhost',
    thresholds: DEFAULT_THRESHOLDS,
    glyphs: chooseGlyphs({ LANG: 'C.UTF-8' }),
    formatTime: (timeMs) => new Date(timeMs).toISOString().slice(11, 19),
    ...overrides,
  }
}

/** With UPDATE_GOLDEN=1 the golden is written anew: look at the difference before it is committed. */
function matchesGolden(name: string, lines: readonly string[]): void {
  const path = join(import.meta.dirname, 'testdata', name)
  const text = `${lines.join('\n')}\n`
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, text)
  assert.equal(text, readFileSync(path, 'utf8'))
}

for (const width of [80, 120, 160]) {
  for (const color of [false, true]) {
    test(`the screen at ${width} columns, ${color ? 'in colour' : 'plain'}`, () => {
      const lines = renderScreen(roundAfter(3), options({ width, color }))
      matchesGolden(`${width}-${color ? 'color.ansi' : 'plain.txt'}`, lines)
    })
  }
}

test('the screen grouped by container', () => {
  const lines = renderScreen(roundAfter(3, 'container'), options({ width: 120, groupBy: 'container' }))
  matchesGolden('120-container.txt', lines)
})

test('the screen in ASCII', () => {
  const lines = renderScreen(roundAfter(3), options({ width: 120, glyphs: chooseGlyphs({ LANG: 'C' }) }))
  matchesGolden('120-ascii.txt', lines)
  const own = lines.filter((line) => !line.includes('数据库'))
  for (const line of own) assert.match(line, /^[ -~]*$/)
})

test('colour adds colour and nothing else', () => {
  const plain = renderScreen(roundAfter(3), options({ width: 120 }))
  const color = renderScreen(roundAfter(3), options({ width: 120, color: true }))
  assert.deepEqual(
    color.map((line) => stripVTControlCharacters(line).trimEnd()),
    plain,
  )
})

test('no line is wider than the terminal, whatever its width', () => {
  const round = roundAfter(3)
  for (let width = 20; width <= 200; width++) {
    for (const line of renderScreen(round, options({ width })))
      assert.ok(displayWidth(line) <= width, `${width}: ${line}`)
  }
})

test('no screen is higher than the terminal; what is left out is said', () => {
  const round = roundAfter(3)
  for (let height = 5; height <= 20; height++) {
    const lines = renderScreen(round, options({ height }))
    assert.ok(lines.length <= height)
    const rows = lines.filter((line) => /[→←]/.test(line)).length
    const more = lines.at(-1)!.match(/^… (\d+) more \((.*)\)$/)
    assert.equal(rows + Number(more?.[1] ?? 0), round.links.length)
  }
})

test('the rows that stay are the worst ones', () => {
  const lines = renderScreen(roundAfter(3), options({ height: 8 }))
  assert.deepEqual(
    lines.slice(3, 7).map((line) => line.slice(2, 9).trim()),
    ['failed', 'refused', 'lossy', 'slow'],
  )
  assert.equal(lines.at(-1), '… 8 more (1 slow, 6 ok, 1 idle)')
})

test('the setting rows limits the table', () => {
  const lines = renderScreen(roundAfter(3), options({ maxRows: 2 }))
  assert.equal(lines.length, 3 + 2 + 1)
})

test('columns keep their places while numbers change', () => {
  const offsets = [1, 2, 3, 4].map((cycles) => {
    const [, , titles] = renderScreen(roundAfter(cycles), options({ width: 120 }))
    return titles!.indexOf('PEER')
  })
  assert.deepEqual(new Set(offsets).size, 1)
})

test('before the first cycle, and without any connection, the screen says what to do', () => {
  const links = createLinks()
  assert.match(renderScreen(links.current(), options({})).join('\n'), /Waiting for the first cycle/)
  const points = linkPoints(outbound('192.0.2.1', 80, 'external'), { connects: 1 }, START_MS)
  const nothing = points.map((point) => ({ ...point, metric: 'listen' }))
  links.add([resourceMetrics(container('a'), nothing, START_MS + INTERVAL_MS)])
  const lines = renderScreen(links.current(), options({ width: 80 }))
  matchesGolden('80-empty.txt', lines)
})

test('names that would command the terminal are taken apart', () => {
  const links = createLinks()
  const evil = container('\x1b[2J\x07evil\u202egnp\r\n')
  const points = linkPoints(outbound('192.0.2.1\x1b]0;x\x07', 80, 'external'), { failed: { 'a\x1b[31m': 3 } }, START_MS)
  for (const number of [1, 2]) {
    const grown = points.map((point) => ({ ...point, value: point.value * number }))
    links.add([resourceMetrics(evil, grown, START_MS + number * INTERVAL_MS)])
  }
  const screen = renderScreen(links.current(), options({ width: 160 })).join('\n')
  assert.match(screen, /failed/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  assert.doesNotMatch(screen, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
})
