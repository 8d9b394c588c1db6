/**
 * What runs without --config: a table on the terminal, nothing sent anywhere. On a terminal that shows the table too,
 * only warnings are logged, so that they don't tear it.
 */
export function defaultConfig(stdoutIsTerminal: boolean): string {
  return `
receivers:
  netvitals:
    collection_interval: 5s
    # As often as the table is drawn: a cut shows within two rounds.
    probes: { interval: 5s }
exporters:
  console: {}
service:
  pipelines:
    metrics:
      receivers: [netvitals]
      exporters: [console]
  telemetry:
    logs:
      level: ${stdoutIsTerminal ? 'warn' : 'info'}
`
}
