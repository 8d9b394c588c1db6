/**
 * The program in each pod. `serve PORT` answers requests; `call ADDRESS PORT …` is a front end that calls these
 * services: on each a few connections that stay and ask again and again, one that stays and idles, and a new one for
 * a single request three times a second. Ends with its standard input.
 */
import { connect, createServer, type Socket } from 'node:net'

const REQUEST = Buffer.alloc(200, 'q')
const REPLY = Buffer.alloc(2_000, 'r')
const KEPT = 3
const ASK_EVERY_MS = 250
const SHORT_EVERY_MS = 330
/** How long the front end waits for a connection, and for a reply, before it gives up. */
const CONNECT_TIMEOUT_MS = 1_000
const REPLY_TIMEOUT_MS = 8_000

const [mode, ...args] = process.argv.slice(2)
process.stdin.on('end', () => process.exit(0)).resume()
if (mode === 'serve') serve(Number(args[0]))
else if (mode === 'call') for (let at = 0; at < args.length; at += 2) call(args[at]!, Number(args[at + 1]))
else throw new Error(`serve or call, not ${mode}`)

function serve(port: number): void {
  createServer((socket) => {
    let received = 0
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk) => {
      received += chunk.length
      for (; received >= REQUEST.length; received -= REQUEST.length) socket.write(REPLY)
    })
  }).listen(port, '::')
}

function call(address: string, port: number): void {
  for (let i = 0; i < KEPT; i++) keep(address, port, true)
  keep(address, port, false)
  setInterval(() => short(address, port), SHORT_EVERY_MS)
}

/** A connection that is opened again a second after it broke. */
function keep(address: string, port: number, asking: boolean): void {
  const socket = open(address, port)
  let asked: NodeJS.Timeout | undefined
  socket.once('connect', () => asking && ask())
  socket.once('close', () => {
    clearTimeout(asked)
    setTimeout(() => keep(address, port, asking), 1_000)
  })

  function ask(): void {
    request(socket, () => {
      asked = setTimeout(ask, ASK_EVERY_MS)
    })
  }
}

function short(address: string, port: number): void {
  const socket = open(address, port)
  socket.once('connect', () => request(socket, () => socket.end()))
}

function open(address: string, port: number): Socket {
  const socket = connect({ host: address, port, noDelay: true })
  const timeout = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS)
  socket.once('connect', () => clearTimeout(timeout))
  socket.once('close', () => clearTimeout(timeout))
  socket.on('error', () => socket.destroy())
  return socket
}

function request(socket: Socket, done: () => void): void {
  let received = 0
  const timeout = setTimeout(() => socket.destroy(), REPLY_TIMEOUT_MS)
  socket.on('data', onData)
  socket.write(REQUEST)

  function onData(chunk: Buffer): void {
    received += chunk.length
    if (received < REPLY.length) return
    clearTimeout(timeout)
    socket.off('data', onData)
    done()
  }
}
