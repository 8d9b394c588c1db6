import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseYaml, YAML_LIMITS, YamlError } from '../../src/config/yaml.ts'

describe('YAML', () => {
  const scalars: [text: string, value: unknown][] = [
    ['true', true],
    ['TRUE', true],
    ['yes', 'yes'],
    ['on', 'on'],
    ['y', 'y'],
    ['~', null],
    ['', null],
    ['# only a comment', null],
    ['0123', 83],
    ['0o17', 15],
    ['0b11', 3],
    ['0xdeadbeef', 0xdeadbeef],
    ['1_000', 1000],
    ['-5', -5],
    ['089', 89],
    ['9223372036854775808', 9223372036854775808n],
    ['1e3', 1000],
    ['1.5', 1.5],
    ['.inf', Infinity],
    ['.nan', Number.NaN],
    ['1:30', '1:30'],
    ['"0123"', '0123'],
    ['2020-01-01', new Date('2020-01-01')],
    ['2020-01-01T00:00:00Z07:00', '2020-01-01T00:00:00Z07:00'],
  ]
  for (const [text, value] of scalars) {
    it(`types ${JSON.stringify(text)} as go-yaml does`, () => assert.deepEqual(parseYaml(text), value))
  }

  it('reads anchors, aliases and merge keys', () => {
    assert.deepEqual(parseYaml('x: &x {b: 1}\ny: *x\nz: {<<: *x, c: 2}'), {
      x: { b: 1 },
      y: { b: 1 },
      z: { b: 1, c: 2 },
    })
  })

  it('reads the first of several documents', () => assert.deepEqual(parseYaml('a: 1\n---\na: 2'), { a: 1 }))

  it('refuses a key given twice, with both lines', () => {
    const expected = 'yaml: unmarshal errors:\n  line 4: mapping key "b" already defined at line 2'
    assert.throws(() => parseYaml('a:\n  b: 1\n  c: 1\n  b: 2'), new YamlError(expected))
  })

  it('refuses what is no YAML, with its line', () => {
    assert.throws(
      () => parseYaml('a: 1\nb: ["'),
      (error: Error) => error instanceof YamlError && /^yaml: line 2: /.test(error.message),
    )
  })

  it('refuses a document that is nested too deep, without overflowing the stack', () => {
    const depth = 50_000
    const begin = performance.now()
    assert.throws(() => parseYaml('['.repeat(depth) + ']'.repeat(depth)), /nested more than 100 deep/)
    assert.ok(performance.now() - begin < 5000)
    assert.doesNotThrow(() => parseYaml('['.repeat(YAML_LIMITS.maxDepth) + ']'.repeat(YAML_LIMITS.maxDepth)))
  })

  it('refuses an alias bomb', () => {
    const levels = 'abcdefghi'.split('')
    const lines = levels.map((name, index) => {
      const item = index === 0 ? 'x' : `*${levels[index - 1]}`
      return `${name}: &${name} [${Array(9).fill(item).join(', ')}]`
    })
    assert.throws(() => parseYaml(lines.join('\n')), new YamlError('yaml: document contains excessive aliasing'))
  })

  it('refuses a document that is too large', () => {
    assert.throws(() => parseYaml('a'.repeat(YAML_LIMITS.maxChars + 1)), /larger than/)
  })
})
