import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { loadAddon } from '../../src/receivers/netvitals/kernel/tracer.ts'

function shared(): string[] {
  loadAddon()
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
  return sharedObjects
}

/** What a tool says of the addon; without what was preloaded into this process. */
function told(command: string, ...options: string[]): string {
  const addon = shared().find((path) => path.endsWith('/netvitals.node'))
  assert.ok(addon)
  return execFileSync(command, [...options, addon], { encoding: 'utf8', env: { PATH: process.env.PATH } })
}

const debian = /^ID=debian$/m.test(readFileSync('/etc/os-release', 'utf8'))
const release = Number(/^VERSION_ID="(\d+)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1])

describe('how the addon is linked', () => {
  const skip = !debian || ![12, 13].includes(release) ? 'what libbpf.a is like is known of Debian 12 and 13' : false
  it('has libbpf and zlib within it', { skip }, () => {
    assert.deepEqual(
      shared().filter((path) => /libbpf/.test(path)),
      [],
    )
    assert.doesNotMatch(told('readelf', '--dynamic', '--wide'), /NEEDED.*(libbpf|libz)\./)
    assert.match(told('nm'), / t bpf_object__load$/m)
  })

  it('leaves its code as it is when it is loaded', () => {
    assert.doesNotMatch(told('readelf', '--dynamic', '--wide'), /TEXTREL/)
  })

  it("shows nobody what is not Node's to call", () => {
    const names = told('nm', '--dynamic', '--defined-only', '--format=posix').trim().split('\n')
    const own = names.map((line) => line.split(' ')[0]!).filter((name) => !name.startsWith('_Z'))
    assert.deepEqual(own.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1'])
  })
})
