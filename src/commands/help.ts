export const HELP = `netvitals: network metrics of every container on this host, sent as OTLP

Usage: netvitals [command] [flags]

  run            watch this host, the default; without --config as a table
  validate       check a configuration and exit
  print-config   the configuration with all defaults: --mode=redacted|unredacted
                 --format=yaml|json --validate=true|false
  print-schema   JSON Schema of a configuration, for completion in editors
  components     receivers, processors and exporters there are, as YAML
  doctor         what works on this host, what is missing; -o json for a report
  featuregate    features that --feature-gates turns on or off

  --config URI            a path, file:PATH, env:NAME, yaml:TEXT, http(s)://...;
                          may be repeated, later ones override earlier ones
  --set KEY=VALUE         one setting, after all --config, such as
                          exporters.debug.verbosity=detailed
  --feature-gates LIST    id and +id turn on, -id turns off
  --watch                 read the configuration again when a file of it changes
  -h, --help, -v, --version

SIGHUP reads the configuration again; a wrong one leaves the one before running.
SIGTERM and SIGINT send what is left and stop; a second one stops at once.
`
