import { closeSync, openSync, writeSync } from 'node:fs'
import { type Logger as PinoLogger, pino } from 'pino'
import { reasonOf } from './errors.ts'

/** `log.info({ key: value }, 'What happened')`; an error goes under `error` and shows its message, at debug its stack. */
export type Logger = PinoLogger

export interface LogOptions {
  readonly level?: 'debug' | 'info' | 'warn' | 'error' | 'dpanic' | 'panic' | 'fatal'
  readonly encoding?: 'console' | 'json'
  /** Added to every record. */
  readonly initialFields?: Readonly<Record<string, unknown>>
  /** `stderr`, `stdout` or files to append to. stdout belongs to the console exporter's table. */
  readonly outputPaths?: readonly string[]
  /** Takes the finished lines instead of `outputPaths`. */
  readonly write?: (line: string) => void
}

/** zap's levels; those above error differ there in what they do to the process, which ours never do. */
const PINO_LEVELS = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  dpanic: 'fatal',
  panic: 'fatal',
  fatal: 'fatal',
} as const

/** A logger whose options can change while it is used, by children that it has long given away too. */
export interface SwitchableLogger {
  readonly log: Logger
  /**
   * Opens what the options name and changes nothing before `commit`; `discard` closes it again.
   * @throws when an output path cannot be opened
   */
  prepare(options: LogOptions): { commit(): void; discard(): void }
}

/**
 * Writes are synchronous: a record is out before the call returns, so none is lost on exit and no worker thread
 * holds memory. That is cheap because records are one per change of state, never one per event.
 * @throws when an output path cannot be opened
 */
export function createLogger(options: LogOptions = {}): Logger {
  return createSwitchableLogger(options).log
}

/** @throws as createLogger */
export function createSwitchableLogger(options: LogOptions = {}): SwitchableLogger {
  let sink = createSink(options)
  let children: WeakRef<Logger>[] = []
  const serializeError = (thrown: unknown): unknown =>
    sink.showStack && thrown instanceof Error ? (thrown.stack ?? reasonOf(thrown)) : reasonOf(thrown)
  const log = pino(
    {
      level: sink.level,
      base: {},
      mixin: () => ({ ...sink.fields }),
      errorKey: 'error',
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError, err: serializeError },
      onChild: (child) => void children.push(new WeakRef(child as Logger)),
    },
    { write: (line: string) => sink.write(line) },
  )

  function commit(next: Sink): void {
    sink.close()
    sink = next
    children = children.filter((child) => child.deref() !== undefined)
    for (const logger of [log, ...children.map((child) => child.deref())]) if (logger) logger.level = next.level
  }

  return {
    log,
    prepare(changed) {
      const next = createSink(changed)
      return { commit: () => commit(next), discard: next.close }
    },
  }
}

type Sink = ReturnType<typeof createSink>

/** Where the lines go and which of them, as the options say. */
function createSink({ level = 'info', encoding = 'console', initialFields = {}, outputPaths, write }: LogOptions) {
  const outputs = write === undefined ? openOutputs(outputPaths ?? ['stderr']) : [{ write, close: () => {} }]
  return {
    level: PINO_LEVELS[level],
    fields: initialFields,
    showStack: level === 'debug',
    write(line: string): void {
      const text = encoding === 'json' ? line : formatConsole(line)
      for (const output of outputs) output.write(text)
    },
    close(): void {
      for (const output of outputs) output.close()
    },
  }
}

/** The Collector's console encoding: time, level, message and the other fields as JSON, between tabs. */
function formatConsole(line: string): string {
  const { level, ts, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.keys(fields).length === 0 ? '' : `\t${JSON.stringify(fields)}`
  return `${ts}\t${level}\t${msg ?? ''}${rest}\n`
}

interface Output {
  write(line: string): void
  close(): void
}

function openOutputs(paths: readonly string[]): Output[] {
  const opened: Output[] = []
  try {
    for (const path of paths) opened.push(openOutput(path))
  } catch (error) {
    for (const { close } of opened) close()
    throw error
  }
  return opened
}

function openOutput(path: string): Output {
  if (path === 'stderr' || path === 'stdout') {
    const fd = path === 'stderr' ? 2 : 1
    return { write: (line) => writeWhole(fd, line), close: () => {} }
  }
  const fd = openSync(path.replace(/^file:/, ''), 'a', 0o644)
  return { write: (line) => writeWhole(fd, line), close: () => closeSync(fd) }
}

/** A pipe whose reader is slow gives EAGAIN, one whose reader is gone EPIPE: logging must never be what ends the program. */
function writeWhole(fd: number, line: string): void {
  let rest = Buffer.from(line)
  for (let attempt = 0; attempt < 100 && rest.length > 0; attempt++) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}
