import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ConfigError, codedError, configError, ERRORS, reasonOf } from '../src/errors.ts'

describe('the registry of errors', () => {
  const page = readFileSync(new URL('../src/errors.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| (NETVITALS_\w+) \| (.*) \| (.+) \|$/gm)].map(([, code, message, advice]) => ({
    code: code!,
    message: message!,
    advice: advice!,
  }))

  it('is documented: each code, its message and what to do', () => {
    assert.deepEqual(
      Object.entries(ERRORS).filter(
        ([code, message]) => !rows.some((row) => row.code === code && row.message === message),
      ),
      [],
    )
    assert.ok(rows.every(({ advice }) => advice.length > 10))
  })

  it('has every code that is documented, once', () => {
    assert.deepEqual(
      rows.filter(({ code }) => !(code in ERRORS)),
      [],
    )
    assert.equal(new Set(rows.map(({ code }) => code)).size, rows.length)
  })
})

describe('an error', () => {
  it('carries its code, its message filled in, and its cause', () => {
    const cause = new Error('EACCES')
    const error = codedError('NETVITALS_COMPONENT_START', { id: 'a/b', kind: 'receiver', reason: 'no' }, cause)
    assert.equal(error.code, 'NETVITALS_COMPONENT_START')
    assert.equal(error.message, 'failed to start "a/b" receiver: no')
    assert.equal(error.cause, cause)
  })

  it('gives one line of reason whatever was thrown', () => {
    assert.equal(reasonOf(new Error('a\n')), 'a')
    assert.equal(reasonOf(new AggregateError([new Error('a'), 'b'])), 'a; b')
    assert.equal(reasonOf(undefined), 'undefined')
    assert.equal(reasonOf(new TypeError()), 'TypeError')
  })

  it('of a configuration has all problems, in the order of the stages', () => {
    const error = new ConfigError([
      { stage: 'validate', path: ['a', 'b'], message: 'is wrong', remedy: 'make it right' },
      { stage: 'unmarshal', path: ['c'], message: "'c' is odd", where: ["'x' "] },
      { stage: 'unmarshal', path: ['d'], message: "'d' is odd", where: ["'x' "] },
    ])
    const decoding = 'decoding failed due to the following error(s):\n\n'
    assert.equal(
      error.message,
      `failed to get config: cannot unmarshal the configuration: ${decoding}'x' ${decoding}'c' is odd\n    at c\n'd' is odd\n    at d\n` +
        'Error: invalid configuration: a::b: is wrong\n    make it right',
    )
  })

  it('of a configuration has the code of its stage', () => {
    assert.equal(configError('flags', [], 'x').code, 'NETVITALS_CONFIG_FLAGS')
    assert.equal(configError('resolve', [], 'x').code, 'NETVITALS_CONFIG_RESOLVE')
  })
})
