import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { z } from 'zod'
import * as fields from '../../src/config/fields.ts'
import { expanded } from '../../src/config/value.ts'

function readWith(schema: z.ZodType, input: unknown): unknown {
  const result = schema.safeParse(input)
  assert.ok(result.success, JSON.stringify(result.error?.issues))
  return result.data
}

function messagesOf(schema: z.ZodType, input: unknown): string[] {
  const result = schema.safeParse(input)
  assert.ok(!result.success, `taken: ${JSON.stringify(result.data)}`)
  return result.error.issues.map(({ path, message }) => [...path, message].join(' '))
}

const accepted: [what: string, schema: z.ZodType, input: unknown, value: unknown][] = [
  ['text', fields.string(), 'a', 'a'],
  ['an expanded number as text', fields.string(), expanded(83, '0123'), '0123'],
  ['an expanded null as text', fields.string(), expanded(null, 'null'), 'null'],
  ['a secret', fields.secret(), 'x', 'x'],
  ['a boolean', fields.boolean(), false, false],
  ['an expanded boolean', fields.boolean(), expanded(true, 'true'), true],
  ['a whole number', fields.integer(), -5, -5],
  ['an expanded whole number', fields.integer(), expanded(83, '0123'), 83],
  ['a number', fields.number(), 1.5, 1.5],
  ['a whole number with a fraction of nothing', fields.integer(), 1e3, 1000],
  ['a whole number beyond 2^53', fields.integer(), 2n ** 63n - 1n, 2 ** 63],
  ['a component id', fields.id(), 'a / b', 'a/b'],
  ['a duration', fields.duration(), '1m30s', 90_000],
  ['a duration as a number of nanoseconds', fields.duration(), 5_000_000, 5],
  ['a duration as a number of milliseconds', fields.duration({ bare: 'ms' }), 5000, 5000],
  ['bytes', fields.size(), 4096, 4096],
  ['bytes with a unit', fields.size(), '4MiB', 4_194_304],
  ['bytes with a fraction of a unit', fields.size(), '1.5KiB', 1536],
  ['a list', fields.list(fields.integer()), [1, 2], [1, 2]],
  ['a string as a list', fields.list(fields.string()), 'a,b', ['a', 'b']],
  ['an empty string as a list', fields.list(fields.string()), '', []],
  ['expanded numbers as a list of texts', fields.list(fields.string()), [expanded(1, '01')], ['01']],
  ['a map', fields.mapOf(fields.integer()), { a: 1 }, { a: 1 }],
  ['an expanded map', fields.mapOf(fields.string()), expanded({ a: 'b' }, '{a: b}'), { a: 'b' }],
  [
    'a map with a key that is a property elsewhere',
    fields.mapOf(fields.string()),
    { constructor: 'b' },
    { constructor: 'b' },
  ],
  ['a list of names and values', fields.mapList(fields.secret()), [{ name: 'a', value: 'b' }], { a: 'b' }],
  ['one of some words', fields.oneOf(['a', 'b']), 'b', 'b'],
  ['one of some words in another case', fields.oneOf(['Info'], { ignoreCase: true }), 'INFO', 'Info'],
  ['anything, with numbers that JSON can hold', fields.any(), { a: 2n ** 60n }, { a: 2 ** 60 }],
  ['anything, without traces of expansion', fields.any(), { a: [expanded(1, '1')] }, { a: [1] }],
]

const refused: [what: string, schema: z.ZodType, input: unknown, messages: string[]][] = [
  ['a number as text', fields.string(), 5, ["expected type 'string', got unconvertible type 'int'"]],
  ['a date as text', fields.string(), new Date(0), ["expected type 'string', got unconvertible type 'time.Time'"]],
  ['text as a boolean', fields.boolean(), 'yes', ["expected type 'bool', got unconvertible type 'string'"]],
  ['a number as a boolean', fields.boolean(), 1, ["expected type 'bool', got unconvertible type 'int'"]],
  ['text as a number', fields.integer(), '5', ["expected type 'int', got unconvertible type 'string'"]],
  ['a fraction as a whole number', fields.integer(), 1.5, ["expected type 'int', got 1.5"]],
  [
    'a negative unsigned',
    fields.integer({ goType: 'uint32' }),
    -1,
    ["cannot parse value as 'uint32': -1 overflows uint"],
  ],
  [
    'an unsigned of 33 bits',
    fields.integer({ goType: 'uint32' }),
    2 ** 32,
    ['must be at most 4294967295, got 4294967296'],
  ],
  ['a number below its minimum', fields.integer({ min: 1 }), 0, ['must be at least 1, got 0']],
  ['a number above its maximum', fields.number({ max: 1 }), 1.5, ['must be at most 1, got 1.5']],
  ['a whole number beyond 64 bits', fields.integer(), 2n ** 64n, ["expected type 'int', got 18446744073709551616"]],
  [
    'an endless duration',
    fields.duration(),
    Infinity,
    ["expected type 'time.Duration', got unconvertible type 'float64'"],
  ],
  ['an id with nothing behind its slash', fields.id(), 'a/', ['in "a/" id: the part after / should not be empty']],
  ['a number as an id', fields.id(), 5, ["expected type 'component.ID', got unconvertible type 'int'"]],
  ['infinity', fields.number(), Infinity, ['must be a finite number, got Infinity']],
  ['a duration of an unknown unit', fields.duration(), '1d', ['time: unknown unit']],
  ['a duration below its minimum', fields.duration({ min: 1000 }), '200ms', ['must be at least 1s, got 200ms']],
  ['bytes with an unknown unit', fields.size(), '4XB', ['expected a size in bytes, got "4XB"']],
  ['negative bytes', fields.size(), -1, ['expected a size in bytes, got "-1"']],
  ['a map as a list', fields.list(fields.string()), {}, ['source data must be an array or slice, got map']],
  [
    'every wrong item of a list',
    fields.list(fields.string()),
    [1, 'a', 2],
    [
      "0 expected type 'string', got unconvertible type 'int'",
      "2 expected type 'string', got unconvertible type 'int'",
    ],
  ],
  [
    'text as a map',
    fields.mapOf(fields.string()),
    'a',
    ["expected type 'map[string]interface {}', got unconvertible type 'string'"],
  ],
  [
    'a name twice in a list of names and values',
    fields.mapList(fields.string()),
    [
      { name: 'a', value: 'b' },
      { name: 'a', value: 'c' },
    ],
    ['duplicate keys in map-style list: [a]'],
  ],
  ['another word', fields.oneOf(['a', 'b']), 'c', ['invalid value: "c"']],
  ['nothing where there is no default', fields.string(), undefined, ['is required and has no default']],
]

describe('a field', () => {
  for (const [what, schema, input, value] of accepted) {
    it(`takes ${what}`, () => {
      const read = readWith(schema, input)
      assert.deepEqual(fields.fieldOf(schema)?.kind === 'id' ? String(read) : read, value)
    })
  }
  for (const [what, schema, input, messages] of refused) {
    it(`refuses ${what}`, () => assert.deepEqual(messagesOf(schema, input), messages))
  }

  it('tells what it is through default, option and description', () => {
    const schema = fields.secret().prefault('x').describe('A token.').optional()
    assert.deepEqual(fields.fieldOf(schema), { kind: 'string', secret: true })
  })

  it('never repeats a secret', () => {
    const result = fields.secret().safeParse(987654321)
    assert.ok(!JSON.stringify(result.error?.issues).includes('987654321'))
  })
})

describe('an object of fields', () => {
  const schema = fields.object({
    timeout: fields.duration({ min: 0 }).prefault('5s'),
    name: fields.string().optional(),
    tls: fields.object({ insecure: fields.boolean().prefault(false) }).prefault({}),
  })

  it('has its defaults, given as a user would write them', () => {
    assert.deepEqual(readWith(schema, {}), { timeout: 5000, tls: { insecure: false } })
  })

  it('takes null for its defaults, and for a key that holds an object, a list or nothing', () => {
    assert.deepEqual(readWith(schema, null), readWith(schema, {}))
    assert.deepEqual(readWith(schema, { name: null, tls: null }), readWith(schema, {}))
    assert.deepEqual(readWith(schema, { tls: expanded(null, '') }), readWith(schema, {}))
  })

  it('takes null for zero where a number or a text is wanted, as the Collector does', () => {
    assert.deepEqual(readWith(schema, { timeout: null, tls: { insecure: null } }), {
      ...(readWith(schema, {}) as object),
      timeout: 0,
    })
    const text = fields.object({ word: fields.string().prefault('x'), needed: fields.string() })
    assert.deepEqual(readWith(text, { word: null, needed: 'a' }), { word: '', needed: 'a' })
    assert.deepEqual(messagesOf(text, { needed: null }), ['needed is required and has no default'])
    const bounded = fields.object({ count: fields.integer({ min: 1 }).prefault(5) })
    assert.deepEqual(messagesOf(bounded, { count: null }), ['count must be at least 1, got 0'])
  })

  it('takes an empty variable for the zero of its target, as the Collector does, and for no value where there is none', () => {
    const zero = fields.object({
      text: fields.string().prefault('x'),
      flag: fields.boolean().prefault(true),
      count: fields.integer().prefault(5),
      ratio: fields.number().prefault(0.5),
      time: fields.duration().prefault('5s'),
      items: fields.list(fields.string()).prefault(['a']),
      headers: fields.mapList(fields.secret()).prefault({ a: 'b' }),
      word: fields.oneOf(['a', '']).prefault('a'),
      other: fields.oneOf(['a', 'b']).prefault('a'),
      bytes: fields.size().prefault('4MiB'),
      part: fields.object({ count: fields.integer().prefault(5) }).prefault({}),
      maybe: fields.string().optional(),
    })
    const empty = Object.keys(zero.parse({})).concat('maybe')
    const input = Object.fromEntries(empty.map((key) => [key, expanded(null, '')]))
    assert.deepEqual(readWith(zero, input), {
      text: '',
      flag: false,
      count: 0,
      ratio: 0,
      time: 0,
      items: [],
      headers: {},
      word: '',
      other: 'a',
      bytes: 4_194_304,
      part: { count: 5 },
    })
  })

  it('takes what was written for text, though YAML would make nothing of it', () => {
    assert.deepEqual(readWith(fields.object({ name: fields.string() }), { name: expanded(null, '~') }), { name: '~' })
  })

  it('names all unknown keys, at every depth, beside the other errors', () => {
    assert.deepEqual(messagesOf(schema, { z: 1, y: 2, timeout: 'soon', tls: { x: 1 } }), [
      'timeout time: invalid duration',
      'tls has invalid keys: x',
      'has invalid keys: y, z',
    ])
  })

  it('refuses an unknown key that is null, or a property of every object', () => {
    const input = JSON.parse('{"z": null, "__proto__": null, "constructor": null}')
    assert.deepEqual(messagesOf(schema, input), ['has invalid keys: __proto__, constructor, z'])
  })

  it('is checked as a whole only when its keys are right', () => {
    const checked = schema.superRefine((value, ctx) => {
      if (value.timeout > 6000) ctx.addIssue(fields.invalid('is too long', { path: ['timeout'] }))
    })
    assert.deepEqual(messagesOf(checked, { timeout: '7s' }), ['timeout is too long'])
    assert.deepEqual(messagesOf(checked, { timeout: '7s', tls: 5 }).length, 1)
  })
})
