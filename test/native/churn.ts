// A process that makes short connections to itself on loopback: `node churn.ts COUNT PARALLEL`.
import { once } from 'node:events'
import net from 'node:net'

const [count = 0, parallel = 1] = process.argv.slice(2).map(Number)
const server = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.end()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as net.AddressInfo

let left = count
async function client() {
  while (left-- > 0) {
    const socket = net.connect(port, '127.0.0.1')
    socket.resume()
    await once(socket, 'close')
  }
}
await Promise.all(Array.from({ length: parallel }, client))
process.exit()
