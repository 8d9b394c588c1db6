/** No object of the API is larger: etcd refuses more than 1.5 MiB, JSON may double it. */
const MAX_OBJECT_BYTES = 8 * 2 ** 20

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const NEWLINE = 0x0a

/** Text that comes in chunks: whole in most cases, joined where it crosses a boundary. */
function createCollector() {
  let pieces: Buffer[] = []
  let length = 0

  return {
    add(piece: Buffer): void {
      length += piece.length
      if (length > MAX_OBJECT_BYTES) throw new Error(`an object of more than ${MAX_OBJECT_BYTES} bytes`)
      // A copy: what waits must not keep the whole chunk alive.
      if (piece.length > 0) pieces.push(Buffer.from(piece))
    },
    /** @returns what was added and `last`, and starts anew */
    take(last: Buffer): string {
      const text = pieces.length === 0 ? last.toString() : Buffer.concat([...pieces, last]).toString()
      pieces = []
      length = 0
      return text
    },
    isEmpty: () => length === 0,
  }
}

/**
 * Cuts a list's JSON into its items while it arrives: `{"kind":"PodList","metadata":{...},"items":[{...},{...}]}`.
 * What is held at a time is one item, however long the list is; V8 would take four times the text for the whole.
 */
export function createListSplitter(onItem: (text: string) => void) {
  const item = createCollector()
  const envelope = createCollector()
  let depth = 0
  let inString = false
  let escaped = false
  /** The last string at depth 1: before a `[`, that array's key. */
  let key = ''
  let keyFrom = -1
  let inItems = false

  function push(chunk: Buffer): void {
    let from = 0
    if (keyFrom >= 0) keyFrom = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) {
          inString = false
          if (keyFrom >= 0) {
            key += chunk.toString('latin1', keyFrom, at)
            keyFrom = -1
          }
        }
      } else if (byte === QUOTE) {
        inString = true
        if (depth === 1) {
          key = ''
          keyFrom = at + 1
        }
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth++
        if (depth === 2 && byte === OPEN_BRACKET && key === 'items') {
          inItems = true
          envelope.add(chunk.subarray(from, at + 1))
          from = at + 1
        } else if (depth === 3 && inItems) {
          // Between items stand a comma and white space alone.
          from = at
        }
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        depth--
        if (depth < 0) throw new Error('JSON closes more than it opens')
        if (inItems && depth === 2) {
          onItem(item.take(chunk.subarray(from, at + 1)))
          from = at + 1
        } else if (inItems && depth === 1) {
          inItems = false
          from = at
        }
      }
    }
    if (keyFrom >= 0) key += chunk.toString('latin1', keyFrom)
    if (!inItems) envelope.add(chunk.subarray(from))
    else if (depth >= 3) item.add(chunk.subarray(from))
  }

  return {
    /** @throws {Error} when it is no JSON, or an item too large; whatever `onItem` throws */
    push,
    /** @returns the list without its items @throws {Error} when it was cut off */
    end(): unknown {
      const text = envelope.take(Buffer.alloc(0))
      if (depth > 0 || text === '') throw new Error('the list was cut off')
      return JSON.parse(text)
    },
  }
}

/** Cuts a watch's stream into its events, one a line. */
export function createLineSplitter(onLine: (text: string) => void) {
  const line = createCollector()
  return {
    /** @throws {Error} when a line is too large; whatever `onLine` throws */
    push(chunk: Buffer): void {
      let from = 0
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        const text = line.take(chunk.subarray(from, at))
        from = at + 1
        if (text.trim() !== '') onLine(text)
      }
      line.add(chunk.subarray(from))
    },
    /** @throws {Error} when the stream ended within a line */
    end(): void {
      if (!line.isEmpty()) throw new Error('the stream ended in the middle of an event')
    },
  }
}
