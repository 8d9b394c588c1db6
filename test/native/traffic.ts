import { once } from 'node:events'
import net from 'node:net'
import type { TestContext } from 'node:test'

/** A server on loopback that answers what it got with as many bytes, and clients of it. */
export interface Echo {
  readonly port: number
  /** Bytes that clients sent and that came back to them. */
  readonly sent: number
  readonly received: number
  /** One whole short connection each, `parallel` at a time. */
  churn(count: number, size?: number, parallel?: number): Promise<void>
  /** A connection that stays until the test ends. */
  hold(): Promise<net.Socket>
  close(): Promise<void>
}

export async function createEcho(t: TestContext, host = '127.0.0.1'): Promise<Echo> {
  const server = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const held: net.Socket[] = []
  let sent = 0
  let received = 0

  async function one(size: number) {
    const socket = net.connect(port, host)
    socket.on('data', (data) => {
      received += data.length
    })
    socket.end(Buffer.alloc(size))
    await once(socket, 'close')
    sent += size
  }

  async function close() {
    for (const socket of held) socket.destroy()
    if (!server.listening) return
    server.close()
    await once(server, 'close')
  }

  t.after(close)
  return {
    port,
    get sent() {
      return sent
    },
    get received() {
      return received
    },
    async churn(count, size = 100, parallel = 8) {
      let left = count
      const worker = async () => {
        while (left-- > 0) await one(size)
      }
      await Promise.all(Array.from({ length: parallel }, worker))
    },
    async hold() {
      const socket = net.connect(port, host)
      held.push(socket)
      await once(socket, 'connect')
      return socket
    },
    close,
  }
}

/** Waits until `done`, at most `limitMs`: the last packets of a connection may follow the program's own knowledge of it. */
export async function eventually(done: () => boolean | Promise<boolean>, limitMs = 5000): Promise<boolean> {
  const end = performance.now() + limitMs
  for (;;) {
    if (await done()) return true
    if (performance.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function refused(host = '127.0.0.1', port = 1): Promise<void> {
  const socket = net.connect(port, host)
  await once(socket, 'error')
}
