import { isatty } from 'node:tty'
import type { Output } from './output.ts'

/** Where tables go: a terminal is drawn over, anything else is appended to. */
export interface Terminal {
  /** Drawn over in place. */
  readonly interactive: boolean
  size(): { readonly columns: number; readonly rows: number }
  show(lines: readonly string[]): void
  /** Puts the cursor back below the last table; safe twice. */
  close(): void
}

export interface TerminalOptions {
  /** 1: the size is asked of process.stdout, the one stream that Node tells about SIGWINCH. */
  readonly fd: 1
  readonly output: Output
  readonly env: Readonly<Record<string, string | undefined>>
  onResize(): void
}

/** Columns and rows where nobody says. */
const PLAIN_COLUMNS = 120
const UNKNOWN_SIZE = { columns: 80, rows: 24 }

/** Control sequences (ECMA-48, xterm). */
const HOME = '\x1b[H'
/** Before the line is written: after a full one the cursor still stands on its last character. */
const CLEAR_LINE = '\x1b[K'
const CLEAR_SCREEN_END = '\x1b[J'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
/** Too long a line is cut, not wrapped: some terminals draw our glyphs two columns wide. */
const WRAP_OFF = '\x1b[?7l'
const WRAP_ON = '\x1b[?7h'
/** Synchronized update: terminals that know it show the frame at once, others ignore it. */
const BEGIN_FRAME = '\x1b[?2026h'
const END_FRAME = '\x1b[?2026l'

export function createTerminal(options: TerminalOptions): Terminal {
  const interactive = isatty(options.fd) && options.env.TERM !== 'dumb'
  return interactive ? createScreen(options) : createPlain(options)
}

function createPlain({ output, env }: TerminalOptions): Terminal {
  const columns = Number(env.COLUMNS)
  return {
    interactive: false,
    size: () => ({ columns: columns > 0 ? columns : PLAIN_COLUMNS, rows: Number.POSITIVE_INFINITY }),
    show: (lines) => output.write(`${lines.join('\n')}\n\n`),
    close: () => {},
  }
}

function createScreen({ output, onResize }: TerminalOptions): Terminal {
  const { stdout } = process
  let started = false
  stdout.on('resize', onResize)

  function size() {
    const { columns, rows } = stdout
    return columns > 0 && rows > 0 ? { columns, rows } : UNKNOWN_SIZE
  }

  /** What the shell left on the screen scrolls away instead of being drawn over. */
  function begin(): string {
    started = true
    process.once('exit', restoreAtExit)
    return HIDE_CURSOR + '\n'.repeat(size().rows)
  }

  function restoreAtExit(): void {
    output.writeLast(SHOW_CURSOR)
  }

  return {
    interactive: true,
    size,
    show(lines) {
      if (!output.ready) return
      const frame = lines.map((line) => `${CLEAR_LINE}${line}\r\n`).join('')
      const opening = started ? '' : begin()
      output.write(BEGIN_FRAME + opening + WRAP_OFF + HOME + frame + CLEAR_SCREEN_END + WRAP_ON + END_FRAME)
    },
    close() {
      if (started) {
        process.off('exit', restoreAtExit)
        output.writeLast(SHOW_CURSOR)
      }
      started = false
      stdout.off('resize', onResize)
    },
  }
}
