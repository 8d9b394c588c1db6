import type { Batch, ComponentId, Exporter, Host } from '../../component/types.ts'
import { createLinks } from '../../links/index.ts'
import { type Config, toThresholds } from './config.ts'
import { createOutput, type Output } from './output.ts'
import { renderScreen } from './screen.ts'
import { chooseGlyphs, wantsColor } from './style.ts'
import { createTerminal, type Terminal } from './terminal.ts'

export interface ConsoleOptions {
  readonly id: ComponentId
  readonly config: Config
  /** Standard output: where tables go. */
  readonly fd: 1
  readonly env: Readonly<Record<string, string | undefined>>
  /** Shown until a resource says `host.name`. */
  readonly hostname: string
}

/** ExportResultCode of @opentelemetry/core. */
const SUCCESS = 0
const FAILED = 1

/** A cycle that came in several batches is drawn once: this long after the last of them, at most that long after the first. */
const SETTLE_MS = 50
const LONGEST_SETTLE_MS = 500
const RESIZE_SETTLE_MS = 30
/** How long stop() waits for a terminal that takes nothing. */
const DRAIN_MS = 500
const PLAIN_MAX_ROWS = 50

/** Draws one table a cycle. Nothing here is per event: a cycle's points are added up when it arrives. */
export function createConsoleExporter({ id, config, fd, env, hostname }: ConsoleOptions): Exporter {
  const thresholds = toThresholds(config)
  const links = createLinks({ groupBy: config.group_by, thresholds })
  const glyphs = chooseGlyphs(env)
  let output: Output | undefined
  let terminal: Terminal | undefined
  let host: Host | undefined
  let timer: NodeJS.Timeout | undefined
  let firstDueMs = 0
  const { promise: unread, resolve: leaveUnread } = Promise.withResolvers<void>()

  function draw(): void {
    cancel()
    if (terminal === undefined || output?.closed) return
    const { interactive } = terminal
    const { columns, rows } = terminal.size()
    const lines = renderScreen(links.current(), {
      width: columns,
      // One line less: the cursor rests below the table.
      height: rows - 1,
      maxRows: config.rows || (interactive ? Number.POSITIVE_INFINITY : PLAIN_MAX_ROWS),
      color: wantsColor(config.color, interactive, env),
      groupBy: config.group_by,
      host: hostname,
      thresholds,
      glyphs,
      formatTime: interactive ? formatClock : formatTimestamp,
    })
    terminal.show(lines)
  }

  function schedule(delayMs: number): void {
    const now = performance.now()
    if (timer === undefined) firstDueMs = now
    clearTimeout(timer)
    timer = setTimeout(draw, Math.max(0, Math.min(delayMs, firstDueMs + LONGEST_SETTLE_MS - now)))
    timer.unref()
  }

  function cancel(): void {
    clearTimeout(timer)
    timer = undefined
  }

  /** `netvitals | head`: the reader has seen enough. Other exporters go on. */
  function onClosed(error: NodeJS.ErrnoException): void {
    cancel()
    const isUnread = error.code === 'EPIPE'
    host?.report(id, 'output', 'down', isUnread ? 'nobody reads it any more' : error.message)
    if (isUnread) leaveUnread()
  }

  async function drawPending(): Promise<void> {
    await output?.drain(DRAIN_MS)
    if (timer !== undefined) draw()
    await output?.drain(DRAIN_MS)
  }

  return {
    async start(serviceHost) {
      host = serviceHost
      output = createOutput({ fd, onClosed })
      terminal = createTerminal({ fd, output, env, onResize: () => schedule(RESIZE_SETTLE_MS) })
      if (terminal.interactive) draw()
    },

    async stop() {
      await drawPending()
      terminal?.close()
      terminal = undefined
      output?.close()
      output = undefined
    },

    export(batch: Batch, resultCallback) {
      try {
        links.add(batch)
      } catch (error) {
        resultCallback({ code: FAILED, error: error as Error })
        return
      }
      schedule(SETTLE_MS)
      resultCallback({ code: SUCCESS })
    },

    forceFlush: drawPending,

    unread,
  }
}

function formatClock(timeMs: number): string {
  const date = timeMs > 0 ? new Date(timeMs) : new Date()
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}

function formatTimestamp(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, 'Z')
}
