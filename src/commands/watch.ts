import { stat } from 'node:fs/promises'

export interface FileWatchOptions {
  /** Each file and its stamp when it was read. Asked each time: after a reload it may be others. */
  readonly files: () => ReadonlyMap<string, string>
  /** Called once a change has settled. */
  readonly onChange: (paths: readonly string[]) => void
  /** Time between two looks; a change has settled when two of them show the same. */
  readonly intervalMs?: number
}

/**
 * Tells when files are not any more what was read: edited in place, replaced by rename, gone or back, or behind a
 * symlink that was swapped, as Kubernetes does with a mounted ConfigMap. Looks at what each path leads to instead of
 * asking for notifications, which miss what happens behind a bind mount or on a network file system; a look is one
 * stat() a file.
 */
export function watchFiles({ files, onChange, intervalMs = 1000 }: FileWatchOptions): () => void {
  let last = new Map<string, string>()
  let told = new Map<string, string>()
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  async function look(): Promise<void> {
    const read = files()
    const now = new Map(await Promise.all([...read.keys()].map(async (path) => [path, await stampOf(path)] as const)))
    if (stopped) return
    const changed = [...now].filter(([path, stamp]) => stamp !== read.get(path) && stamp !== told.get(path))
    const isQuiet = changed.every(([path, stamp]) => last.get(path) === stamp)
    last = now
    if (changed.length > 0 && isQuiet) {
      told = now
      onChange(changed.map(([path]) => path))
    }
    timer = setTimeout(look, intervalMs).unref()
  }
  void look()

  return () => {
    stopped = true
    clearTimeout(timer)
  }
}

/** Of what the path leads to: a rename and a swapped symlink show as another inode. */
export async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(':')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}
