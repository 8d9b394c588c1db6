import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { findAccess, readSource } from '../../src/kubernetes/access.ts'

const directory = mkdtempSync(join(tmpdir(), 'netvitals-access-'))
after(() => rmSync(directory, { recursive: true }))
const PEM = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** JSON is YAML. */
function kubeconfig(cluster: object, user: object, more: object = {}): string {
  const path = join(directory, 'kubeconfig')
  const config = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'main' },
    contexts: [{ name: 'main', context: { cluster: 'lab', user: 'me' } }],
    clusters: [{ name: 'lab', cluster: { server: 'https://10.0.0.1:6443', ...cluster } }],
    users: [{ name: 'me', user }],
    ...more,
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}

const rejects = (path: string, message: RegExp, context?: string) =>
  assert.rejects(findAccess({ kubeconfig: path, context }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'NETVITALS_KUBERNETES_ACCESS')
    assert.match(error.message, message)
    assert.ok(error.message.startsWith(`kubeconfig ${path}: `), error.message)
    return true
  })

describe('in a pod', () => {
  const serviceAccount = join(directory, 'serviceaccount')
  const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' }
  mkdirSync(serviceAccount)
  writeFileSync(join(serviceAccount, 'token'), 'secret\n')
  writeFileSync(join(serviceAccount, 'ca.crt'), PEM)

  it('the service account is used', async () => {
    assert.deepEqual(await findAccess({ env, serviceAccount }), {
      server: 'https://10.96.0.1:443',
      token: { file: join(serviceAccount, 'token') },
      ca: { file: join(serviceAccount, 'ca.crt') },
    })
  })

  it('an IPv6 address gets its brackets', async () => {
    const access = await findAccess({ env: { KUBERNETES_SERVICE_HOST: 'fd00::1' }, serviceAccount })
    assert.equal(access?.server, 'https://[fd00::1]:443')
  })

  it('a set kubeconfig goes before it, KUBECONFIG does not', async () => {
    const path = kubeconfig({}, { token: 't' })
    const set = await findAccess({ kubeconfig: path, env, serviceAccount })
    assert.equal(set?.server, 'https://10.0.0.1:6443')
    const found = await findAccess({ env: { ...env, KUBECONFIG: path }, serviceAccount })
    assert.equal(found?.server, 'https://10.96.0.1:443')
  })

  it('a service account that is not mounted is said', async () => {
    await assert.rejects(findAccess({ env, serviceAccount: '/var/run/secrets/none' }), {
      code: 'NETVITALS_KUBERNETES_ACCESS',
      message: /no such file.*'\/var\/run\/secrets\/none\/token'; a pod has it unless.*automountServiceAccountToken/,
    })
  })
})

describe('outside of a cluster', () => {
  it('there is none', async () => assert.equal(await findAccess({ env: {} }), undefined))

  it('KUBECONFIG is used', async () => {
    const access = await findAccess({ env: { KUBECONFIG: kubeconfig({}, { token: 't' }) } })
    assert.deepEqual(access, { server: 'https://10.0.0.1:6443', token: { text: 't' } })
  })
})

describe('a kubeconfig', () => {
  it('with certificates in it', async () => {
    const data = { 'client-certificate-data': base64(PEM), 'client-key-data': base64(PEM) }
    const path = kubeconfig({ 'certificate-authority-data': base64(PEM), 'tls-server-name': 'api' }, data)
    assert.deepEqual(await findAccess({ kubeconfig: path }), {
      server: 'https://10.0.0.1:6443',
      ca: { text: PEM },
      certificate: { text: PEM },
      key: { text: PEM },
      serverName: 'api',
    })
  })

  it('with files, that are relative to it', async () => {
    const files = { 'client-certificate': 'c.pem', 'client-key': '/k.pem', tokenFile: 'token' }
    const path = kubeconfig({ 'certificate-authority': 'pki/ca.pem', 'insecure-skip-tls-verify': false }, files)
    assert.deepEqual(await findAccess({ kubeconfig: path }), {
      server: 'https://10.0.0.1:6443',
      ca: { file: join(directory, 'pki/ca.pem') },
      certificate: { file: join(directory, 'c.pem') },
      key: { file: '/k.pem' },
      token: { file: join(directory, 'token') },
    })
  })

  it('with a token and a tokenFile: the token, as kubectl does it', async () => {
    const access = await findAccess({ kubeconfig: kubeconfig({}, { token: 't', tokenFile: 'f' }) })
    assert.deepEqual(access?.token, { text: 't' })
  })

  it('with a server behind a path, and without verification', async () => {
    const cluster = { server: 'https://rancher/k8s/clusters/c-1/', 'insecure-skip-tls-verify': true }
    const access = await findAccess({ kubeconfig: kubeconfig(cluster, {}) })
    assert.deepEqual(access, { server: 'https://rancher/k8s/clusters/c-1', insecure: true })
  })

  it('of which another context is asked for', async () => {
    const contexts = [{ name: 'other', context: { cluster: 'lab' } }]
    const path = kubeconfig({}, { exec: {} }, { contexts, 'current-context': '' })
    const access = await findAccess({ kubeconfig: path, context: 'other' })
    assert.deepEqual(access, { server: 'https://10.0.0.1:6443' })
    await rejects(path, /current-context is not set; set it, or name the context/)
    await rejects(path, /the context setting names "third", which is not in contexts \(there: "other"\)/, 'third')
  })

  const faults: [what: string, cluster: object, user: object, message: RegExp][] = [
    ['exec', {}, { exec: { command: 'aws' } }, /users\[me\]\.exec: runs a program .*kubectl create token/],
    [
      'an auth-provider',
      {},
      { 'auth-provider': {} },
      /users\[me\]\.auth-provider: was taken out .*kubectl create token/,
    ],
    ['a password', {}, { username: 'u', password: 'p' }, /users\[me\]\.username: password log-in .* tokenFile/],
    ['impersonation', {}, { as: 'admin' }, /users\[me\]\.as: impersonation is not supported/],
    ['a proxy', { 'proxy-url': 'http://p' }, {}, /clusters\[lab\]\.proxy-url: proxies are not supported/],
    ['http', { server: 'http://h' }, {}, /clusters\[lab\]\.server: expected https:\/\/host:port, found "http:\/\/h"/],
    ['no server', { server: '' }, {}, /clusters\[lab\]\.server is missing/],
    ['a certificate alone', {}, { 'client-certificate': 'c' }, /users\[me\]: .* go together, found only one/],
    ['data that is no PEM', { 'certificate-authority-data': 'eHg=' }, {}, /certificate-authority-data: expected PEM/],
  ]
  for (const [what, cluster, user, message] of faults) {
    it(`with ${what} is refused`, () => rejects(kubeconfig(cluster, user), message))
  }

  it('whose context names what is not there is refused', async () => {
    const contexts = [{ name: 'main', context: { cluster: 'gone', user: 'me' } }]
    await rejects(kubeconfig({}, {}, { contexts }), /contexts\[main\]\.cluster names "gone", which is not in clusters/)
    await rejects(kubeconfig({}, {}, { users: [] }), /contexts\[main\]\.user names "me", .*\(there: none\)/)
  })

  it('that is not there, or no YAML, is refused', async () => {
    await rejects(join(directory, 'absent'), /no such file/)
    const path = join(directory, 'broken')
    writeFileSync(path, 'a: [')
    await rejects(path, /Flow sequence/)
    writeFileSync(path, '')
    await rejects(path, /current-context is not set/)
  })
})

it('an empty token file is an error', () => {
  const file = join(directory, 'empty')
  writeFileSync(file, '\n')
  assert.throws(() => readSource({ file }), { code: 'NETVITALS_KUBERNETES_ACCESS', message: `${file} is empty` })
})
