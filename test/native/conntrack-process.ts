/**
 * Connection tracking in a process of its own. For each line on standard input, the path of a network namespace or
 * `own`, it enters that and asks it of a connection that is not there; on standard output a line of JSON: `errno` of
 * the answer, or `code` of the error.
 */
import { open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { createConntrack } from '../../src/receivers/netvitals/kernel/conntrack.ts'
import { ConntrackAnswerLayout, ConntrackRequestLayout } from '../../src/receivers/netvitals/kernel/native.ts'

let answered: (errno: number) => void
const conntrack = createConntrack({
  onAnswers(buffer) {
    answered(new DataView(buffer.buffer, buffer.byteOffset).getInt32(ConntrackAnswerLayout.errno, true))
  },
  onError(error) {
    throw error
  },
})

async function enter(path: string): Promise<number> {
  if (path === 'own') return conntrack.open(-1)
  const file = await open(path)
  try {
    return await conntrack.open(file.fd)
  } finally {
    await file.close()
  }
}

async function ask(namespace: number): Promise<number> {
  const request = new Uint8Array(ConntrackRequestLayout.size)
  new DataView(request.buffer).setUint32(ConntrackRequestLayout.first, namespace, true)
  request[ConntrackRequestLayout.family] = 4
  const answer = new Promise<number>((resolve) => {
    answered = resolve
  })
  conntrack.lookup(request, 1)
  return answer
}

for await (const path of createInterface({ input: process.stdin })) {
  const told = await enter(path).then(
    async (namespace) => ({ errno: await ask(namespace) }),
    ({ code }) => ({ code }),
  )
  console.log(JSON.stringify(told))
}
conntrack.close()
