import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'

/** A file that this process maps: an entry of /proc/self/smaps. */
export interface Mapping {
  readonly begin: number
  readonly permissions: string
  readonly path: string
  /** Bytes. */
  readonly resident: number
  /** Bytes that are the process' own copy. */
  readonly anonymous: number
}

const HEADER = /^([0-9a-f]+)-[0-9a-f]+ (\S{4}) \S+ \S+ \d+ +(\/.*)$/

/** What the file's parts are mapped as, in the order of their addresses. */
export function mappingsOf(file: RegExp): Mapping[] {
  const entries = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  return entries.flatMap((entry) => {
    const [, begin, permissions, path] = HEADER.exec(entry.slice(0, entry.indexOf('\n'))) ?? []
    if (path === undefined || !file.test(path)) return []
    const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(entry)![1]) * 1024
    return {
      begin: Number.parseInt(begin!, 16),
      permissions: permissions!,
      path,
      resident: bytes('Rss'),
      anonymous: bytes('Anonymous'),
    }
  })
}

/** Resident memory of this process, bytes: of files, and its own. */
export function resident(): { file: number; anonymous: number } {
  const status = readFileSync('/proc/self/status', 'utf8')
  const bytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024
  return { file: bytes('RssFile'), anonymous: bytes('RssAnon') }
}

/** As a debugger does: into what is mapped to be read, too. */
export function poke(address: number, byte: number): void {
  const memory = openSync('/proc/self/mem', 'r+')
  try {
    writeSync(memory, Uint8Array.of(byte), 0, 1, address)
  } finally {
    closeSync(memory)
  }
}

export function peek(address: number): number {
  const memory = openSync('/proc/self/mem', 'r')
  const byte = new Uint8Array(1)
  try {
    readSync(memory, byte, 0, 1, address)
  } finally {
    closeSync(memory)
  }
  return byte[0]!
}
