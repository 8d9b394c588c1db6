import type { Meter } from '@opentelemetry/api'
import type { ExportResult } from '@opentelemetry/core'
import type { ResourceMetrics, DataPoint as SdkDataPoint } from '@opentelemetry/sdk-metrics'
import type { z } from 'zod'
import type { Logger } from '../log.ts'

/**
 * What travels between components: the SDK's own data model, one ResourceMetrics a container.
 * Everything in a batch is read-only: a processor that changes something makes new objects,
 * because encoders keep the bytes of resources and attribute sets by identity.
 */
export type Batch = readonly ResourceMetrics[]

/** A data point with OTLP's flags (1 = no recorded value). @see opentelemetry-proto metrics.proto DataPointFlags */
export interface DataPoint<T> extends SdkDataPoint<T> {
  readonly flags?: number
}

/** Takes batches. Resolves when the batch is accepted (queued or done), rejects when it is refused. */
export interface Consumer {
  consume(batch: Batch): Promise<void>
}

/** `type` or `type/name`, e.g. `otlp_grpc/backup`. */
export interface ComponentId {
  readonly type: string
  readonly name: string
  toString(): string
}

export type ComponentKind = 'receiver' | 'processor' | 'exporter' | 'extension' | 'connector'

/** OpenTelemetry's stability levels. */
export type Stability = 'development' | 'alpha' | 'beta' | 'stable'

/** What the service offers to a running component. */
export interface Host {
  /** Ends the whole program with exit code 1: for errors that leave nothing to run. */
  fatal(error: Error): void
  /** A condition worth a line in the log once, and in `netvitals.component.status` (1 ok, 0 down) until it changes. */
  report(component: ComponentId, part: string, status: 'ok' | 'down', detail?: string): void
  extension(id: string): Extension | undefined
}

/** Life of every component: `start` once; `stop` is safe before start and twice, and flushes. */
export interface Lifecycle {
  start(host: Host): Promise<void>
  stop(): Promise<void>
}

export interface Receiver extends Lifecycle {
  /**
   * Instead of `start`, on a reload: takes over what `previous`, a running receiver of the same factory with other
   * settings, holds, so that nothing is lost or counted twice between the two. True: `previous` has delivered all that
   * it counted and is stopped. False: there is nothing to take over; `start` follows and `previous` runs until then.
   * When it rejects, `previous` goes on as if nothing had been tried.
   */
  takeOver?(host: Host, previous: Receiver): Promise<boolean>
}
export type Extension = Lifecycle
export interface Processor extends Lifecycle, Consumer {}

/** The SDK's PushMetricExporter, widened to a batch of resources. `export` never throws and never blocks. */
export interface Exporter extends Lifecycle {
  export(batch: Batch, resultCallback: (result: ExportResult) => void): void
  forceFlush(): Promise<void>
  /**
   * Of one that writes for somebody to read: resolves when the reader is gone (`| head`). When that is so of every
   * exporter, the program ends with exit code 0.
   */
  readonly unread?: Promise<void>
  /** It counts its sent and failed points itself (exporters/sending does); otherwise the service does, by the results. */
  readonly countsPoints?: boolean
}

/** What developers pass to a component (what users set is its Config). */
export interface Settings {
  readonly id: ComponentId
  readonly log: Logger
  /** For the program's own metrics: a no-op unless service.telemetry.metrics has readers. */
  readonly meter: Meter
  readonly version: string
}

interface FactoryBase<C> {
  readonly kind: ComponentKind
  readonly type: string
  /** Older names that still work; using one logs a warning that names the new word. */
  readonly aliases?: readonly string[]
  readonly stability: Stability
  /** One sentence, shown by `netvitals components`. */
  readonly description: string
  /** Strict: unknown keys are refused. Every key has a default or is required, and `.describe()`s itself. */
  readonly config: z.ZodType<C>
  /** What the Collector calls an unknown key's place, where it is not made of kind and type: `debugexporter.Config`. */
  readonly configName?: string
}
export interface ReceiverFactory<C = unknown> extends FactoryBase<C> {
  readonly kind: 'receiver'
  create(settings: Settings, config: C, next: Consumer): Receiver
}
export interface ProcessorFactory<C = unknown> extends FactoryBase<C> {
  readonly kind: 'processor'
  create(settings: Settings, config: C, next: Consumer): Processor
}
export interface ExporterFactory<C = unknown> extends FactoryBase<C> {
  readonly kind: 'exporter'
  create(settings: Settings, config: C): Exporter
  /**
   * One empty request to where the data would go, with all the settings: resolves with undefined when it was taken,
   * else with the reason. Absent where there is no other end. For `netvitals doctor`.
   */
  reach?(settings: Settings, config: C, signal: AbortSignal): Promise<string | undefined>
}
export interface ExtensionFactory<C = unknown> extends FactoryBase<C> {
  readonly kind: 'extension'
  create(settings: Settings, config: C): Extension
}
// biome-ignore lint/suspicious/noExplicitAny: a list of factories holds each one's own config type
export type Factory = ReceiverFactory<any> | ProcessorFactory<any> | ExporterFactory<any> | ExtensionFactory<any>
