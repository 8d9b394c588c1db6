import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Container } from '../kernel/lab.ts'
import { eventually } from './child.ts'
import {
  CONVERSIONS,
  type Conversion,
  createScene,
  cut,
  cutLinks,
  type Front,
  mend,
  noScene,
  type Scene,
  type Values,
  valuesOf,
} from './failed-link-scene.ts'
import { ROOT } from './program.ts'
import { type Backend, startPrometheus } from './prometheus.ts'
import { buildPrometheus } from './prometheus-build.ts'
import { parsePage } from './prometheus-text.ts'

const prometheusBuilt = await buildPrometheus()
const LATENCY = 'container_net_latency_seconds'
const PATIENCE_MS = 60_000
const TEST_MS = 5 * PATIENCE_MS

type Labels = Readonly<Record<string, string>>

/** `container_id` as `naming: coroot` writes it. */
function corootId({ cgroup, id }: Container): string {
  return cgroup.startsWith('/docker/') ? cgroup : `/k8s/${basename(dirname(cgroup)).slice('pod'.length)}/${id}`
}

/** How a person asks for a link of a container to an address. */
const LINKS: Readonly<Record<string, (container: Container, address: string) => Labels>> = {
  coroot: (container, address) => ({ container_id: corootId(container), destination_ip: address }),
  otel: ({ id }, address) => ({ container_id: id, destination_address: address }),
}

function selector(metric: string, labels: Labels): string {
  const matchers = Object.entries(labels).map(([name, value]) => `${name}="${value}"`)
  return `${metric}{${matchers.join(', ')}}`
}

/** The values of those that have all these labels. */
function select(series: readonly { readonly labels: Labels; readonly value: number }[], wanted: Labels): number[] {
  const matchers = Object.entries(wanted)
  return series
    .filter(({ labels }) => matchers.every(([name, value]) => labels[name] === value))
    .map(({ value }) => value)
}

/** What a value must be, on a link that is cut and on one that is not. */
type Rule = (value: number, isCut: boolean) => boolean

const isLatency: Rule = (value, isCut) => (isCut ? Number.isNaN(value) : value > 0)
const isLoss: Rule = (value, isCut) => Math.abs(value - (isCut ? 1 : 0)) < 0.01

/** Waits until every link has so many series, all as the rule says. */
async function shows(
  what: string,
  { ask, count, rule }: { readonly ask: () => Promise<Values>; readonly count: number; readonly rule: Rule },
  areCut: ReadonlySet<string> = new Set(),
): Promise<void> {
  let wrong: [string, readonly number[]][] = []
  try {
    await eventually(
      what,
      async () => {
        wrong = Object.entries(await ask()).filter(
          ([link, values]) => values.length !== count || !values.every((value) => rule(value, areCut.has(link))),
        )
        return wrong.length === 0 || undefined
      },
      PATIENCE_MS,
    )
  } catch (error) {
    const seen = wrong.map(([link, values]) => `${link}: ${values.join() || 'nothing'}`)
    throw new Error(`${what}; not so: ${seen.join('; ')}`, { cause: error })
  }
}

/** The links of one front end to the catalog are cut and mended; latency shows it on these and on no other. */
async function showsFailedLink(
  scene: Scene,
  front: Front,
  { ask, count }: { readonly ask: () => Promise<Values>; readonly count: number },
  meanwhile = async () => {},
): Promise<void> {
  const latency = { ask, count, rule: isLatency }
  await shows('a number on every link', latency)
  cut(scene, front)
  try {
    await shows('NaN on the links that are cut, a number on all others', latency, cutLinks(scene, front))
    await meanwhile()
  } finally {
    mend(scene)
  }
  await shows('a number on every link again', latency)
}

/** The loss ratio that the documentation gives, over a shorter time. */
async function documentedLossRatio(window: string): Promise<string> {
  const readme = await readFile(join(ROOT, 'src', 'receivers', 'netvitals', 'README.md'), 'utf8')
  const [, expression] = readme.match(/^ *`(1 - sum .*container_net_probes_total.*)`$/m) ?? []
  assert.ok(expression, 'the loss ratio in the README')
  return expression.replaceAll('[5m]', `[${window}]`)
}

for (const naming of ['coroot', 'otel'])
  describe(`a failed link, naming: ${naming}`, { skip: noScene ?? false, concurrency: false }, () => {
    const link = LINKS[naming]!
    // Without the conversion OpenTelemetry's identity of a container is in target_info alone.
    const conversions = naming === 'otel' ? (['on'] as const) : CONVERSIONS
    let scene: Scene
    before(async () => {
      scene = await createScene(naming)
    })
    after(async () => {
      await scene?.[Symbol.asyncDispose]()
    })

    async function atCollector(conversion: Conversion): Promise<Values> {
      const samples = parsePage(await scene.collectors[conversion].metricsPage())
      const latencies = samples.filter(({ name }) => name === LATENCY)
      return valuesOf(scene, async (...ends) => select(latencies, link(...ends)))
    }

    for (const [index, layout] of ['Docker', 'Kubernetes'].entries())
      for (const conversion of conversions)
        it(`of a container of ${layout} is found at a Collector, resource_to_telemetry_conversion ${conversion}`, {
          timeout: TEST_MS,
        }, async () => {
          await showsFailedLink(scene, scene.fronts[index]!, { ask: () => atCollector(conversion), count: 1 })
        })

    it('is found in a Prometheus that scrapes the Collectors, by latency and by loss', {
      skip: prometheusBuilt.skip ?? false,
      timeout: TEST_MS,
    }, async () => {
      await using prometheus = await startPrometheus(prometheusBuilt.path!, {
        scrape: CONVERSIONS.map((conversion) => ({
          address: `127.0.0.1:${scene.collectors[conversion].ports.prometheus}`,
          labels: { conversion },
        })),
      })
      const front = scene.fronts[0]!
      const count = conversions.length
      const latency = () => valuesOf(scene, (...ends) => valuesIn(prometheus, selector(LATENCY, link(...ends))))
      const lossRatio = await documentedLossRatio('8s')
      const loss = async () => {
        const ratios = await prometheus.evaluate(lossRatio)
        return valuesOf(scene, async (...ends) => select(ratios, link(...ends)))
      }
      await showsFailedLink(scene, front, { ask: latency, count }, async () => {
        if (naming === 'otel') {
          const joined = { ask: () => latencyByTargetInfo(prometheus), count: 1, rule: isLatency }
          await shows('the same by target_info', joined, cutLinks(scene, front))
        }
        await shows('a loss of 1 on the links that are cut', { ask: loss, count, rule: isLoss }, cutLinks(scene, front))
      })
    })

    /** At the Collector without the conversion. */
    function latencyByTargetInfo(prometheus: Backend): Promise<Values> {
      return valuesOf(scene, ({ id }, address) => {
        const latency = selector(LATENCY, { conversion: 'off', destination_address: address })
        const info = selector('target_info', { conversion: 'off', container_id: id })
        return valuesIn(prometheus, `${latency} * on (job, instance) group_left () ${info}`)
      })
    }
  })

async function valuesIn(prometheus: Backend, expression: string): Promise<number[]> {
  return (await prometheus.evaluate(expression)).map(({ value }) => value)
}
