import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { fixture } from '../../fixture.ts'

/** The fixture as one OTLP request, on standard output: requests laid end to end are one with all their resources. */
const requests = fixture.map((resourceMetrics) => ProtobufMetricsSerializer.serializeRequest(resourceMetrics)!)
process.stdout.write(Buffer.concat(requests))
