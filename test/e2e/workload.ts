/**
 * Traffic that knows itself: `serve PORT` answers every request with as many bytes and closes; `connect ADDRESS PORT
 * COUNT BYTES HELD` makes COUNT such connections and HELD more that stay open; `refused ADDRESS PORT COUNT` finds nobody
 * listening. Each writes a line when it is ready or done; what holds connections ends by a signal.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

const [mode, ...args] = process.argv.slice(2)
if (mode === 'serve') await serve(Number(args[0]))
else if (mode === 'connect')
  await connectAll(args[0]!, Number(args[1]), Number(args[2]), Number(args[3]), Number(args[4]))
else if (mode === 'refused') await refused(args[0]!, Number(args[1]), Number(args[2]))
else throw new Error(`serve, connect or refused, not ${mode}`)

/** The first four bytes of a request are its length; a connection without a request stays. */
async function serve(port: number): Promise<void> {
  const server = createServer((socket) => {
    let received = 0
    let wanted = Number.POSITIVE_INFINITY
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      if (received === 0) wanted = chunk.readUInt32BE()
      received += chunk.length
      if (received === wanted) socket.end(Buffer.alloc(wanted))
    })
  })
  server.listen(port, '0.0.0.0')
  await once(server, 'listening')
  console.log('listening')
}

async function connectAll(address: string, port: number, count: number, bytes: number, held: number): Promise<void> {
  const request = Buffer.alloc(bytes)
  request.writeUInt32BE(bytes)
  for (let done = 0; done < count; done += 20) {
    await Promise.all(Array.from({ length: Math.min(20, count - done) }, () => exchange(address, port, request)))
  }
  const open: Socket[] = []
  for (let n = 0; n < held; n++) {
    const socket = connect(port, address)
    await once(socket, 'connect')
    open.push(socket)
  }
  console.log('done')
  if (held > 0) setInterval(() => open.length, 60_000)
}

async function exchange(address: string, port: number, request: Buffer): Promise<void> {
  const socket = connect(port, address)
  let received = 0
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  socket.write(request)
  await once(socket, 'close')
  if (received !== request.length) throw new Error(`${received} bytes of ${request.length} came back`)
}

async function refused(address: string, port: number, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const [error] = (await once(connect(port, address), 'error')) as [NodeJS.ErrnoException]
    if (error.code !== 'ECONNREFUSED') throw error
  }
  console.log('done')
}
