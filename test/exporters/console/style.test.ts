import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseGlyphs, paint, wantsColor } from '../../../src/exporters/console/style.ts'

const TTY = true
const PIPE = false

test('colour by setting, NO_COLOR, FORCE_COLOR and terminal, in this order', () => {
  const cases: [Parameters<typeof wantsColor>, boolean][] = [
    [['always', PIPE, { NO_COLOR: '1' }], true],
    [['never', TTY, { FORCE_COLOR: '1' }], false],
    [['auto', TTY, {}], true],
    [['auto', PIPE, {}], false],
    [['auto', TTY, { NO_COLOR: '1' }], false],
    [['auto', TTY, { NO_COLOR: '' }], true],
    [['auto', PIPE, { FORCE_COLOR: '1' }], true],
    [['auto', PIPE, { FORCE_COLOR: '' }], true],
    [['auto', TTY, { FORCE_COLOR: '0' }], false],
    [['auto', PIPE, { FORCE_COLOR: '1', NO_COLOR: '1' }], false],
    [['auto', TTY, { TERM: 'dumb' }], false],
  ]
  for (const [args, expected] of cases) assert.equal(wantsColor(...args), expected, JSON.stringify(args))
})

test('glyphs are ASCII where another character set is asked for, and on the console of the kernel', () => {
  const isAscii = (env: Record<string, string>) => chooseGlyphs(env).status.failed === 'x'
  assert.equal(isAscii({}), false)
  assert.equal(isAscii({ LANG: 'de_DE.UTF-8' }), false)
  assert.equal(isAscii({ LANG: 'C.utf8', TERM: 'xterm' }), false)
  assert.equal(isAscii({ LANG: 'C' }), true)
  assert.equal(isAscii({ LANG: 'de_DE.UTF-8', LC_ALL: 'POSIX' }), true)
  assert.equal(isAscii({ LANG: 'C.UTF-8', TERM: 'linux' }), true)
})

test('a span is closed where it ends, so that nothing leaks into the next line', () => {
  assert.equal(paint([{ text: 'a', styles: ['bold', 'red'] }, { text: 'b' }], true), '\x1b[1;31ma\x1b[0mb')
  assert.equal(paint([{ text: 'a', styles: ['red'] }, { text: '  ' }], false), 'a')
})
