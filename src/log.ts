import { openSync, writeSync } from 'node:fs'
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

/**
 * Writes are synchronous: a record is out before the call returns, so none is lost on exit and no worker thread
 * holds memory. That is cheap because records are one per change of state, never one per event.
 * @throws when an output path cannot be opened
 */
export function createLogger(options: LogOptions = {}): Logger {
  const { level = 'info', encoding = 'console', initialFields = {}, outputPaths = ['stderr'] } = options
  const write = options.write ?? fanOut(outputPaths.map(openOutput))
  return pino(
    {
      level: PINO_LEVELS[level],
      base: { ...initialFields },
      errorKey: 'error',
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError(level), err: serializeError(level) },
    },
    { write: encoding === 'json' ? write : (line: string) => write(formatConsole(line)) },
  )
}

function serializeError(level: string): (thrown: unknown) => unknown {
  return (thrown) =>
    level === 'debug' && thrown instanceof Error ? (thrown.stack ?? reasonOf(thrown)) : reasonOf(thrown)
}

/** The Collector's console encoding: time, level, message and the other fields as JSON, between tabs. */
function formatConsole(line: string): string {
  const { level, ts, msg, ...fields } = JSON.parse(line) as Record<string, unknown>
  const rest = Object.keys(fields).length === 0 ? '' : `\t${JSON.stringify(fields)}`
  return `${ts}\t${level}\t${msg ?? ''}${rest}\n`
}

function openOutput(path: string): (line: string) => void {
  const fd = path === 'stderr' ? 2 : path === 'stdout' ? 1 : openSync(path.replace(/^file:/, ''), 'a', 0o644)
  return (line) => writeWhole(fd, line)
}

function fanOut(outputs: ((line: string) => void)[]): (line: string) => void {
  return (line) => {
    for (const output of outputs) output(line)
  }
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
