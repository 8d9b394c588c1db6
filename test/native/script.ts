import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Runs a script (TypeScript, a module) in a process of its own. */
export async function run(script: string) {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, out }
}
