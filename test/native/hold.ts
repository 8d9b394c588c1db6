// A process with connections to itself on loopback: `node hold.ts COUNT`. Says its port, and per line of its input what
// to do: `send N` writes N bytes on each connection. Its input's end is its end.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'

try {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
} catch {} // not root: loopback is up where it matters

const count = Number(process.argv[2])
let received = 0
let wanted = 0
const accepted: net.Socket[] = []
const server = net.createServer((socket) => {
  accepted.push(socket)
  socket.on('data', (data) => {
    received += data.length
    if (received === wanted) console.log('sent')
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
await once(server, 'listening')
const { port } = server.address() as net.AddressInfo
const sockets: net.Socket[] = []
for (let i = 0; i < count; i++) {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  sockets.push(socket)
}
while (accepted.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
console.log(`port ${port}`)
for await (const line of createInterface({ input: process.stdin })) {
  const size = Number(line.split(' ')[1])
  wanted = received + size * count
  for (const socket of sockets) socket.write(Buffer.alloc(size))
}
process.exit()
