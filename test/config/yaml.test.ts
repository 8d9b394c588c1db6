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
    ['9007199254740993', 9007199254740993n],
    ['9223372036854775808', 9223372036854775808n],
    ['18446744073709551616', 2 ** 64],
    ['1e3', 1000],
    ['1.5', 1.5],
    ['.inf', Infinity],
    ['.nan', Number.NaN],
    ['1:30', '1:30'],
    ['"0123"', '0123'],
    ['2020-01-01', new Date('2020-01-01')],
    ['2020-01-01 10:00:00', new Date('2020-01-01T10:00:00Z')],
    ['2020-13-45', '2020-13-45'],
    ['1e400', '1e400'],
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

  it('asks for no indent within brackets and quotes', () => {
    assert.deepEqual(parseYaml('a: [\n1,\n2\n]\nb:\n  c: {\n  d: 1\n}\ne: "x\ny"'), {
      a: [1, 2],
      b: { c: { d: 1 } },
      e: 'x y',
    })
  })

  it('refuses control characters, as libyaml does', () => {
    assert.throws(() => parseYaml('a: \u0007'), new YamlError('yaml: control characters are not allowed'))
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

  it('tells the first of thousands of errors, wherever it stands', () => {
    const brackets = '}\n'.repeat(20_000)
    for (const [text, line] of [
      [brackets, 1],
      [`a: 1\n\n${brackets}`, 3],
      [`a: [\nb: 2\n${brackets}`, 2],
      [`a: 1\n---\n${brackets}`, 3],
    ] as const)
      assert.throws(
        () => parseYaml(text),
        (error: Error) => error instanceof YamlError && error.message.startsWith(`yaml: line ${line}: `),
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

  it('counts what aliases and merge keys stand for, in no more time than the text takes', () => {
    const begin = performance.now()
    // Each merge doubles the work of a reader that resolves the one below it twice.
    const merges = [
      'a0: &a0 {k: 1}',
      ...Array.from({ length: 60 }, (_, i) => `a${i + 1}: &a${i + 1} {<<: [*a${i}, *a${i}]}`),
    ]
    assert.throws(() => parseYaml(merges.join('\n')), /excessive aliasing/)
    const keys = Array.from({ length: 5000 }, (_, i) => `k${i}: x`).join(', ')
    const bomb = [`base: &base {${keys}}`, ...Array.from({ length: 5000 }, (_, i) => `m${i}: {<<: *base}`)]
    assert.throws(() => parseYaml(bomb.join('\n')), /excessive aliasing/)
    const text = 'x'.repeat(2 ** 20)
    assert.throws(() => parseYaml(`a: &a ${text}\nb: [${Array(99).fill('*a').join(', ')}]`), /excessive aliasing/)
    assert.ok(performance.now() - begin < 5000)
  })

  it('takes as many aliases as an honest document has', () => {
    const uses = Array.from({ length: 2000 }, (_, i) => `m${i}: {a: *shared, b: ${i}}`)
    const read = parseYaml(['shared: &shared {x: 1}', ...uses].join('\n')) as Record<string, unknown>
    assert.deepEqual(read.m1999, { a: { x: 1 }, b: 1999 })
  })

  it('lets its own keys win over merged ones, and earlier sources over later', () => {
    assert.deepEqual(parseYaml('a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc: {y: 3, <<: [*a, *b]}'), {
      a: { x: 1, y: 1 },
      b: { x: 2, z: 2 },
      c: { y: 3, x: 1, z: 2 },
    })
  })

  const wrong: [text: string, message: RegExp][] = [
    ['a: *nowhere', /unknown anchor|Unresolved alias/],
    ['a: &a [*a]', /anchor 'a' value contains itself/],
    ['a: {<<: 5}', /map merge requires map or sequence of maps as the value/],
    ['? {a: 1}\n: x', /invalid map key/],
  ]
  for (const [text, message] of wrong) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseYaml(text),
        (error: Error) => error instanceof YamlError && message.test(error.message),
      )
    })
  }

  it('refuses a document of too many parts before it holds them', () => {
    const parts = '- a\n'.repeat(YAML_LIMITS.maxChars / 4)
    const before = process.memoryUsage().rss
    assert.throws(() => parseYaml(parts), new YamlError('yaml: more than 500000 tokens'))
    assert.ok(process.memoryUsage().rss - before < 256 * 2 ** 20)
    assert.equal(
      (parseYaml(`a: ${'x'.repeat(YAML_LIMITS.maxChars - 10)}`) as { a: string }).a.length,
      YAML_LIMITS.maxChars - 10,
    )
  })

  it('refuses a document that is too large', () => {
    assert.throws(() => parseYaml('a'.repeat(YAML_LIMITS.maxChars + 1)), /larger than/)
  })
})
