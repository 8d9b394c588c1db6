export const HELP = `netvitals: TCP metrics of every container on this host, from the kernel, as OTLP

Usage:
  netvitals [run] [flags]     watch this host; without --config show a table every 5 s
  netvitals validate [flags]  check a configuration and exit
  netvitals components        list receivers, processors and exporters as YAML

Flags:
  --config URI       file (path or file:), env:NAME or yaml:TEXT; may be repeated, later ones override
  --set KEY=VALUE    one setting, after all --config: --set=exporters.debug.verbosity=detailed
  -h, --help         this text
  -v, --version      the version

In a configuration \${env:NAME}, \${env:NAME:-default}, \${file:PATH} and \${yaml:TEXT} are replaced; $$ is a $.
SIGTERM and SIGINT send what is left and stop; a second one stops at once.
`
