import { codedError, reasonOf } from '../errors.ts'

/** Why the program ends. */
export type End = { readonly signal: NodeJS.Signals } | { readonly error: Error } | { readonly unread: true }

/** Go's names, as the Collector logs them. */
const NAMES: Partial<Record<NodeJS.Signals, string>> = { SIGTERM: 'terminated', SIGINT: 'interrupt', SIGHUP: 'hangup' }

export function signalName(signal: NodeJS.Signals): string {
  return NAMES[signal] ?? signal
}

/** A repetition this soon is the same signal. */
const SAME_SIGNAL_MS = 200

export interface Ends {
  readonly promise: Promise<End>
  resolve(end: End): void
  /** Calls it at each SIGHUP from now on, and at once when there was one before. Until then, and without it, none is lost. */
  onHangup(listener: () => void): void
}

/**
 * The first signal, or the first error that nobody caught. Listens for as long as the process lives: a second signal
 * must not wait for what the first one began.
 * @param hangupEnds SIGHUP is one more signal to end
 */
export function watchEnds({ hangupEnds }: { readonly hangupEnds: boolean }): Ends {
  const { promise, resolve } = Promise.withResolvers<End>()
  /** Undefined until there was one. */
  let isNextTheSame: boolean | undefined
  let hangup: (() => void) | undefined
  let isHangupPending = false

  function onSignal(signal: NodeJS.Signals): void {
    // One Ctrl-C comes twice under npm, one of timeout(1) too: to the process group, and passed on by the parent.
    if (isNextTheSame === true) return
    if (isNextTheSame === false) {
      process.stderr.write(`Error: ${signal} again: exiting without waiting for the shutdown\n`)
      process.exit(1)
    }
    isNextTheSame = true
    // A shutdown that keeps the loop busy keeps signals waiting: they are told after its timers, before its immediates.
    setTimeout(() => setImmediate(nextIsAnother), SAME_SIGNAL_MS).unref()
    resolve({ signal })
  }
  function nextIsAnother(): void {
    isNextTheSame = false
  }
  function onHangupSignal(signal: NodeJS.Signals): void {
    if (hangupEnds) onSignal(signal)
    else if (hangup === undefined) isHangupPending = true
    else hangup()
  }
  const onUncaught = (thrown: unknown): void => {
    resolve({ error: codedError('NETVITALS_UNCAUGHT', { reason: reasonOf(thrown) }, thrown) })
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal).on('SIGHUP', onHangupSignal)
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught)

  return {
    promise,
    resolve,
    onHangup(listener) {
      hangup = listener
      if (isHangupPending) listener()
    },
  }
}
