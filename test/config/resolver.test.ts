import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setToUri } from '../../src/config/index.ts'
import { resolve } from '../../src/config/resolver.ts'
import { type Tree, typedDeep } from '../../src/config/value.ts'
import { ConfigError } from '../../src/errors.ts'

async function resolved(...uris: string[]): Promise<unknown> {
  return typedDeep(await resolve({ uris }))
}

/** One value, as YAML, after its expansion. */
async function expand(yaml: string): Promise<unknown> {
  return ((await resolved(`yaml:v: ${yaml}`)) as Tree).v
}

async function problemsOf(...uris: string[]): Promise<string[]> {
  const error = await resolve({ uris }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof ConfigError, String(error))
  return error.problems.map(({ path, message }) => [path.join('::'), message].join(' '))
}

describe('resolving a configuration', () => {
  let folder = ''
  const env = {
    NV_PORT: '3044',
    NV_OCTAL: '0123',
    NV_LIST: '[a, 1]',
    NV_EMPTY: '',
    NV_NEST: `\${env:NV_PORT}`,
    NV_LOOP: `\${env:NV_LOOP}`,
  }
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'netvitals-config-'))
    writeFileSync(join(folder, 'a.yaml'), 'a: 1\nm: {x: 1, l: [1, 2]}')
    writeFileSync(join(folder, 'token'), 's3cret\n')
    Object.assign(process.env, env)
  })
  after(() => {
    rmSync(folder, { recursive: true })
    for (const name of Object.keys(env)) delete process.env[name]
  })

  it('reads files by path and by URI, variables and inline YAML', async () => {
    process.env.NV_WHOLE = 'c: 3'
    assert.deepEqual(await resolved(join(folder, 'a.yaml'), 'env:NV_WHOLE', 'yaml:d::e: 4'), {
      a: 1,
      m: { x: 1, l: [1, 2] },
      c: 3,
      d: { e: 4 },
    })
    delete process.env.NV_WHOLE
    assert.deepEqual(await resolved(`file:${join(folder, 'a.yaml')}`), await resolved(join(folder, 'a.yaml')))
  })

  it('merges maps and replaces all else, in the order given', async () => {
    assert.deepEqual(await resolved(`file:${folder}/a.yaml`, 'yaml:m: {y: 2, l: [3]}', 'yaml:a: '), {
      a: null,
      m: { x: 1, y: 2, l: [3] },
    })
  })

  it('expands after the merge: what is overridden is not asked for', async () => {
    assert.deepEqual(await resolved(`yaml:a: \${file:${folder}/nope}`, 'yaml:a: 5'), { a: 5 })
  })

  it('takes a key that is a property of every object for what it is', async () => {
    const tree = (await resolved('yaml:{__proto__: {polluted: true}, constructor: 1}')) as Tree
    assert.equal(({} as Tree).polluted, undefined)
    assert.equal(tree.constructor, 1)
  })

  it('types --set as YAML and splits its key at dots', async () => {
    assert.deepEqual(await resolved(setToUri('a.b/2.c=5s'), setToUri('x=[1]'), setToUri('y=a=b'), setToUri('z=')), {
      a: { 'b/2': { c: '5s' } },
      x: [1],
      y: 'a=b',
      z: null,
    })
  })

  it('appends lists of components when it is asked to, each once', async () => {
    const uris = [
      'yaml:service: {extensions: [a], pipelines: {metrics: {receivers: [a], processors: [a]}}}',
      'yaml:service: {extensions: [a, b], pipelines: {metrics: {receivers: [b, 9223372036854775807], processors: [b]}}}',
    ]
    assert.deepEqual(await resolve({ uris, appendLists: true }), {
      service: {
        extensions: ['a', 'b'],
        pipelines: { metrics: { receivers: ['a', 'b', 9223372036854775807n], processors: ['b'] } },
      },
    })
  })

  const expansions: [what: string, yaml: string, value: unknown][] = [
    ['a whole value keeps its type', `\${env:NV_PORT}`, 3044],
    ['a name without scheme is a variable', `\${NV_PORT}`, 3044],
    ['within text it is text as written', `"x-\${env:NV_OCTAL}"`, 'x-0123'],
    ['a list', `\${env:NV_LIST}`, ['a', 1]],
    ['an empty variable is null', `\${env:NV_EMPTY}`, null],
    ['an empty variable within text is nothing', `"a\${env:NV_EMPTY}b"`, 'ab'],
    ['a default is typed too', `"\${env:NV_UNSET:-42}"`, 42],
    ['a default with the separator', `"\${env:NV_UNSET:-a:-b}"`, 'a:-b'],
    ['a default is not for a variable that is set', `"\${env:NV_PORT:-42}"`, 3044],
    ['a nested reference, innermost first', `"\${yaml:\${env:NV_PORT}}"`, 3044],
    ['a reference in a variable', `\${env:NV_NEST}`, 3044],
    ['two dollars are one', '"cost: $$5"', 'cost: $5'],
    ['an escaped reference stays', `"$\${env:NV_PORT}"`, `\${env:NV_PORT}`],
    ['two escaped dollars before a reference', `"$$\${env:NV_PORT}"`, '$3044'],
    ['an unclosed one stays', `"\${env:NV_PORT"`, `\${env:NV_PORT`],
    ['items of lists and maps', `[{k: "\${env:NV_PORT}"}]`, [{ k: 3044 }]],
  ]
  for (const [what, yaml, value] of expansions) {
    it(`expands: ${what}`, async () => assert.deepEqual(await expand(yaml), value))
  }

  it('expands a file, whose line end is part of the text and not of the value', async () => {
    assert.equal(await expand(`"x-\${file:${folder}/token}"`), 'x-s3cret\n')
  })

  it('names the key and the reason of every reference that fails', async () => {
    const uri = `yaml:{a: {b: "\${file:${folder}/nope}"}, c: ["\${ftp:x}", "\${env:1X}"], d: "\${env:NV_LOOP}"}`
    assert.deepEqual(await problemsOf(uri), [
      `a::b unable to read the file file:${folder}/nope: open ${folder}/nope: no such file or directory`,
      'c::0 scheme "ftp" is not supported for uri "ftp:x"',
      'c::1 environment variable "1X" has invalid name: must match regex ^[a-zA-Z_][a-zA-Z0-9_]*$',
      'd too many recursive expansions',
    ])
  })

  it('says of a variable that is not set, once a reference', async () => {
    const warnings: string[] = []
    await resolve({ uris: [`yaml:a: \${env:NV_UNSET}`], warn: (message) => warnings.push(message) })
    assert.deepEqual(warnings, ['Configuration references unset environment variable NV_UNSET'])
  })

  it('refuses what is not a map', async () => {
    assert.deepEqual(await problemsOf('yaml:hello'), [' retrieved value (type=string) cannot be used as a Conf'])
    assert.deepEqual(await problemsOf('yaml:[1]'), [' retrieved value (type=[]interface {}) cannot be used as a Conf'])
  })

  it('refuses expansions that multiply beyond reason, quickly', async () => {
    const levels = 'ABCDEFGHIJ'.split('')
    for (const [index, name] of levels.entries()) {
      const next = levels[index + 1]
      process.env[`NV_BOMB_${name}`] = next === undefined ? 'x'.repeat(100) : `\${env:NV_BOMB_${next}} `.repeat(10)
    }
    const begin = performance.now()
    const [problem] = await problemsOf(`yaml:a: \${env:NV_BOMB_A}`)
    assert.match(problem!, /expansions amount to more than|too many recursive/)
    assert.ok(performance.now() - begin < 5000)
    for (const name of levels) delete process.env[`NV_BOMB_${name}`]
  })

  it('refuses a file that is too large or never ends', async () => {
    const [problem] = await problemsOf('file:/dev/zero')
    assert.match(problem!, /unable to read the file file:\/dev\/zero: larger than/)
  })

  it('waits for a pipe whose writer is slow, and not for ever, with the URI and the key that asked', async () => {
    const fifo = join(folder, 'fifo')
    execFileSync('mkfifo', [fifo])
    const slow = spawn('sh', ['-c', `exec 3<>${fifo}; sleep 0.3; echo 42 >&3; sleep 0.3`])
    await new Promise((done) => setTimeout(done, 100))
    assert.equal(await expand(`\${file:${fifo}}`), 42)
    slow.kill()
    const silent = spawn('sh', ['-c', `exec 3<>${fifo}; exec sleep 20`])
    await new Promise((done) => setTimeout(done, 100))
    try {
      const [problem] = await problemsOf(`yaml:a: {b: "\${file:${fifo}}"}`)
      assert.match(problem!, /^a::b unable to read .*file:.*fifo.*: no (?:data|answer) within 5 s$/)
    } finally {
      silent.kill()
    }
  })

  it('knows the schemes it is given', async () => {
    const providers = new Map([['wiki', async (opaque: string) => ({ value: { page: opaque }, text: '' })]])
    assert.deepEqual(await resolve({ uris: ['wiki:home'], providers }), { page: 'home' })
  })
})
