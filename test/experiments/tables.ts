/** What the console exporter appended to a pipe: one table a cycle. */
export interface Table {
  /** The line of column titles. */
  readonly titles: string
  readonly rows: readonly Row[]
}

export interface Row {
  readonly status: string
  /** Our end: `front-end`, or with its port where it is called. */
  readonly own: string
  readonly direction: 'outbound' | 'inbound'
  readonly peer: string
  /** What stands under PING: `0.21 ms`, `lost`; `·` where nothing is known. */
  readonly ping: string
  /** Under LOSS; 0 where nothing was sent. */
  readonly lossPercent: number
  readonly text: string
}

const HEADER = /^netvitals .*Z$/
const ROW = /^\S +(?<status>[a-z]+) +(?<own>\S.*?) +(?<arrow>[→←]) +(?<peer>\S+)/

/** The tables that are complete. */
export function readTables(output: string): Table[] {
  const lines = output.split('\n').slice(0, -1)
  const starts = lines.flatMap((line, at) => (HEADER.test(line) ? [at] : []))
  return starts.flatMap((start, index) => {
    const end = starts[index + 1] ?? lines.length
    const [titles, ...rows] = lines.slice(start + 2, end)
    return titles?.startsWith('STATUS') ? [{ titles, rows: rows.flatMap((line) => readRow(line, titles)) }] : []
  })
}

function readRow(text: string, titles: string): Row[] {
  const { status, own, arrow, peer } = ROW.exec(text)?.groups ?? {}
  if (status === undefined) return []
  return [
    {
      status,
      own: own!,
      direction: arrow === '→' ? 'outbound' : 'inbound',
      peer: peer!,
      ping: cellUnder('PING', text, titles),
      lossPercent: Number.parseFloat(cellUnder('LOSS', text, titles).replace('<', '0')) || 0,
      text,
    },
  ]
}

/** Whether a name is what a cell shows: in a narrow column its middle gives way to an ellipsis. */
export function isShownAs(name: string, cell: string): boolean {
  const [head = '', tail] = cell.split('…')
  return tail === undefined ? name === cell : name.startsWith(head) && name.endsWith(tail)
}

/** Numbers are set right: the cell ends where its title does. */
function cellUnder(title: string, text: string, titles: string): string {
  const end = titles.indexOf(title) + title.length
  return /(?:\S+ )?\S+$/.exec(text.slice(0, end).padEnd(end))?.[0].trim() ?? ''
}
