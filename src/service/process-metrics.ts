import type { Meter } from '@opentelemetry/api'

/** The process itself, under the Collector's names (service/metadata.yaml there). */
export function observeProcess(meter: Meter): void {
  meter
    .createObservableCounter('otelcol_process_uptime', { description: 'Uptime of the process', unit: 's' })
    .addCallback((result) => result.observe(process.uptime()))
  meter
    .createObservableCounter('otelcol_process_cpu_seconds', {
      description: 'Total CPU user and system time in seconds',
      unit: 's',
    })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage()
      result.observe((user + system) / 1e6)
    })
  meter
    .createObservableGauge('otelcol_process_memory_rss', {
      description: 'Total physical memory (resident set size)',
      unit: 'By',
    })
    .addCallback((result) => result.observe(process.memoryUsage.rss()))
}
