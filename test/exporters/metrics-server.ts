import * as grpc from '@grpc/grpc-js'
import { bytesFields } from '../../src/exporters/sending/protobuf-reader.ts'

export interface ReceivedRequest {
  readonly bytes: Buffer
  readonly metadata: grpc.Metadata
}

export type Reply = Buffer | { code: grpc.status; details?: string; metadata?: grpc.Metadata } | 'hang'

/** An OTLP metrics backend on a real socket of the loopback interface; `reply` decides every answer. */
export async function startMetricsServer(
  options: { address?: string; credentials?: grpc.ServerCredentials; reply?: (index: number) => Reply } = {},
) {
  const { address = '127.0.0.1:0', credentials = grpc.ServerCredentials.createInsecure(), reply } = options
  const requests: ReceivedRequest[] = []
  const waiters: { count: number; done: () => void }[] = []
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20 })
  const raw = (value: Buffer) => value
  server.addService(
    {
      Export: {
        path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: raw,
        requestDeserialize: raw,
        responseSerialize: raw,
        responseDeserialize: raw,
      },
    },
    {
      Export(call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) {
        const answer = reply?.(requests.length) ?? Buffer.alloc(0)
        requests.push({ bytes: call.request, metadata: call.metadata })
        for (const waiter of waiters) if (requests.length >= waiter.count) waiter.done()
        if (answer === 'hang') return
        if (Buffer.isBuffer(answer)) callback(null, answer)
        else
          callback({
            code: answer.code,
            details: answer.details ?? '',
            metadata: answer.metadata ?? new grpc.Metadata(),
          })
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
  })

  return {
    port,
    endpoint: `127.0.0.1:${port}`,
    requests,
    /** Resolves once `count` requests came in all. */
    received: (count: number) =>
      new Promise<void>((done) => {
        if (requests.length >= count) done()
        else waiters.push({ count, done })
      }),
    stop: () => server.forceShutdown(),
  }
}

export type MetricsServer = Awaited<ReturnType<typeof startMetricsServer>>

/** The names of the metrics in a request, in its order. */
export function metricNames(request: Uint8Array): string[] {
  return bytesFields(request, 1)
    .flatMap((resource) => bytesFields(resource, 2))
    .flatMap((scope) => bytesFields(scope, 2))
    .map((metric) => new TextDecoder().decode(bytesFields(metric, 1)[0]))
}
