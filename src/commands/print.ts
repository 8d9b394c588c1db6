/**
 * All of a command's output, to stdout. A reader that has seen enough and is gone (`| head`) is no error.
 * @throws Error when it cannot be written for another reason, e.g. ENOSPC
 */
export function print(text: string): Promise<void> {
  const { stdout } = process
  return new Promise((resolve, reject) => {
    // A failed write is told twice, to its callback and then as an event, which would be uncaught without a listener.
    const onError = () => {}
    stdout.on('error', onError)
    stdout.write(text, (error) => {
      if (error == null) stdout.off('error', onError)
      if (error == null || (error as NodeJS.ErrnoException).code === 'EPIPE') resolve()
      else reject(new Error(`writing to stdout: ${error.message}`, { cause: error }))
    })
  })
}
