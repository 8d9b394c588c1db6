import { tmpdir } from 'node:os'
import { type Binary, buildGoProgram } from './go-build.ts'

const VERSION = 'v0.316.0'
/** Without service discovery and the UI: less to fetch, and nothing here uses them. */
const BUILD = `CGO_ENABLED=0 GOBIN="$1.dir" GOFLAGS=-trimpath go install -tags remove_all_sd,netgo -ldflags='-s -w' \\
  github.com/prometheus/prometheus/cmd/prometheus@${VERSION} &&
  mv "$1.dir/prometheus" "$1.part" && rmdir "$1.dir"`

let built: Promise<Binary> | undefined

/** The tests' Prometheus: what NETVITALS_TEST_PROMETHEUS names, else built from the Go module proxy into the cache. */
export function buildPrometheus(): Promise<Binary> {
  const program = {
    name: 'Prometheus',
    variable: 'NETVITALS_TEST_PROMETHEUS',
    cacheName: `prometheus-${VERSION}-${process.arch}`,
    needs: { major: 1, minor: 26 },
    directory: tmpdir(),
    script: BUILD,
    // Cold, with nothing downloaded yet, it takes 2 minutes on two cores.
    timeoutMs: 15 * 60_000,
  }
  built ??= buildGoProgram(program, process.env)
  return built
}
