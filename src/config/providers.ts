import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { createHttpProvider } from './http-provider.ts'
import { parseYaml, YAML_LIMITS, YamlError } from './yaml.ts'

/** What a URI stands for: the value as YAML types it and the text it was made of. */
export interface Retrieved {
  readonly value: unknown
  readonly text: string
  /** Why the value is the bare text. */
  readonly hint?: string
}

export interface ProviderContext {
  /** Fires when the time for this URI is up. */
  readonly signal: AbortSignal
  readonly warn: (message: string) => void
}

/** Reads what follows the scheme of a URI. Rejects with a reason that names the URI. */
export type Provider = (opaque: string, context: ProviderContext) => Promise<Retrieved>
export type Providers = ReadonlyMap<string, Provider>

/** Text as YAML; text that is no YAML, or is a plain string in it, is that text. */
export function retrievedFromYaml(text: string): Retrieved {
  try {
    const value = parseYaml(text)
    return typeof value === 'string' ? { value: text, text } : { value, text }
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    return { value: text, text, hint: `assuming string type since contents are not valid YAML: ${error.message}` }
  }
}

const fileProvider: Provider = async (path, { signal }) => retrievedFromYaml(await readFile(path, signal))

async function readFile(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readBounded(path, signal)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = code === undefined ? message : `open ${path}: ${GO_ERRORS[code] ?? code}`
    throw new Error(`unable to read the file file:${path}: ${reason}`)
  }
}

/** Go's words for the common errors. */
const GO_ERRORS: Record<string, string> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  EMFILE: 'too many open files',
}

/** A FIFO without a writer or /dev/zero must end too: bounded in time by the signal and in size here. */
async function readBounded(path: string, signal: AbortSignal): Promise<string> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const chunks: Buffer[] = []
    let length = 0
    for (;;) {
      if (signal.aborted) throw new Error('no data within 5 s')
      const { bytesRead, buffer } = await file.read(Buffer.alloc(64 * 1024)).catch(waitForData)
      if (bytesRead === 0) break
      if (bytesRead < 0) continue
      length += bytesRead
      if (length > YAML_LIMITS.maxChars) throw new Error(`larger than ${YAML_LIMITS.maxChars} bytes`)
      chunks.push(buffer.subarray(0, bytesRead))
    }
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    await file.close()
  }
}

const NO_DATA_YET = { bytesRead: -1, buffer: Buffer.alloc(0) }

/** A pipe whose writer is slow, such as that of `--config <(command)`. */
async function waitForData(error: NodeJS.ErrnoException): Promise<typeof NO_DATA_YET> {
  if (error.code !== 'EAGAIN') throw error
  await setTimeout(10)
  return NO_DATA_YET
}

const ENV_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

const envProvider: Provider = async (opaque, { warn }) => {
  const at = opaque.indexOf(':-')
  const name = at < 0 ? opaque : opaque.slice(0, at)
  if (!ENV_NAME.test(name)) {
    throw new Error(`environment variable "${name}" has invalid name: must match regex ${ENV_NAME.source}`)
  }
  const value = process.env[name]
  if (value !== undefined) return retrievedFromYaml(value)
  if (at >= 0) {
    const fallback = opaque.slice(at + 2)
    // An empty default is an empty string, where an empty variable is null: so the Collector has it.
    return fallback === '' ? { value: '', text: '' } : retrievedFromYaml(fallback)
  }
  warn(`Configuration references unset environment variable ${name}`)
  return retrievedFromYaml('')
}

const yamlProvider: Provider = async (opaque) => retrievedFromYaml(opaque)

export const standardProviders: Providers = new Map([
  ['file', fileProvider],
  ['env', envProvider],
  ['yaml', yamlProvider],
  ['http', createHttpProvider('http', retrievedFromYaml)],
  ['https', createHttpProvider('https', retrievedFromYaml)],
])
