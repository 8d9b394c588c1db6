import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Used everywhere. */
const COMMON = ['src/log.ts', 'src/errors.ts']
/** The types of a configuration's fields: the vocabulary of every config.ts. */
const FIELDS = 'src/config/fields.ts'
/** What any component may use, besides its own folder. */
const FOR_COMPONENTS = [
  'src/component/types.ts',
  'src/component/data-model.ts',
  FIELDS,
  'src/config/value.ts',
  'src/config/duration.ts',
]
const NV = 'src/receivers/netvitals'

/**
 * Who may import whom: the folder (or file) and what of ours it may import besides itself and COMMON. The longest
 * entry that fits a file counts. `type:` before one allows only `import type`.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/log.ts': ['src/errors.ts'],
  'src/errors.ts': [],
  'src/config': [],
  'src/component': [],
  // The one list that names every component: each is loaded when it is used.
  'src/component/components.ts': [
    'src/component',
    'src/receivers',
    'src/processors',
    'src/exporters',
    'src/connectors',
    'src/extensions',
  ],
  'src/component/types.ts': ['type:src/log.ts'],
  'src/component/data-model.ts': [],
  'src/service': ['src/component', 'src/config'],
  'src/commands': ['src'],
  'src/main.ts': ['src'],
  'src/deltas': ['type:src/component/types.ts', 'src/component/data-model.ts'],
  'src/links': ['type:src/component/types.ts'],
  'src/kubernetes': [],
  'src/processors': [...FOR_COMPONENTS, 'src/deltas'],
  'src/connectors': FOR_COMPONENTS,
  'src/extensions': FOR_COMPONENTS,
  'src/exporters': [...FOR_COMPONENTS, 'src/exporters/sending', 'src/links', 'src/kubernetes'],
  'src/exporters/sending': [...FOR_COMPONENTS, 'src/deltas'],
  // Assembles the stages below, on one screen.
  [NV]: [...FOR_COMPONENTS, NV],
  [`${NV}/kernel`]: [],
  [`${NV}/metrics`]: ['type:src/component/types.ts'],
  [`${NV}/containers`]: [FIELDS, 'src/kubernetes'],
  [`${NV}/kubernetes`]: [FIELDS, 'src/kubernetes'],
  [`${NV}/destinations`]: [FIELDS, `type:${NV}/containers`, `${NV}/kernel`, 'src/kubernetes'],
  [`${NV}/connections`]: [FIELDS, `${NV}/kernel`, `${NV}/containers`, `${NV}/destinations`, `${NV}/metrics`],
  // The key table, and reading CIDRs and addresses, are no stage's own.
  [`${NV}/probes`]: [
    ...FOR_COMPONENTS,
    `type:${NV}/connections`,
    `${NV}/connections/key-table.ts`,
    `${NV}/destinations`,
    `${NV}/kernel`,
    `${NV}/metrics`,
  ],
}

/** Each component's folder is its own: these hold one folder a component, which may not import its neighbours. */
const ONE_FOLDER_A_COMPONENT = ['src/receivers', 'src/processors', 'src/exporters', 'src/connectors', 'src/extensions']

/** Libraries that cost memory: the files that may load them at run time, by whatever is before their path's end. */
const HEAVY: Readonly<Record<string, readonly string[]>> = {
  '@opentelemetry/sdk-metrics': ['src/service/meter-provider.ts'],
  '@opentelemetry/resources': ['src/service/meter-provider.ts'],
  '@opentelemetry/exporter-metrics-otlp-grpc': ['src/service/meter-provider.ts'],
  '@opentelemetry/otlp-transformer': [],
  '@opentelemetry/core': ['src/service/meter-provider.ts'],
  '@grpc/grpc-js': ['src/service/meter-provider.ts', 'src/exporters/otlp_grpc'],
}

interface Import {
  readonly from: string
  /** A file of ours, or a package's name. */
  readonly to: string
  readonly onlyType: boolean
  readonly lazy: boolean
}

const STATIC = /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[\w*{}\s,$]+\s+from\s+)?['"]([^'"]+)['"]/g
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g

function importsOf(from: string, source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const target = (specifier: string): string => (specifier.startsWith('.') ? join(dirname(from), specifier) : specifier)
  return [
    ...[...code.matchAll(STATIC)].map(([, type, specifier]) => ({
      from,
      to: target(specifier!),
      onlyType: type !== undefined,
      lazy: false,
    })),
    ...[...code.matchAll(DYNAMIC)].map(([, specifier]) => ({
      from,
      to: target(specifier!),
      onlyType: false,
      lazy: true,
    })),
  ]
}

const within = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`)

/** Longest entry of a table whose place holds the file. */
function placeOf(file: string, places: readonly string[]): string | undefined {
  return places.filter((place) => within(file, place)).sort((a, b) => b.length - a.length)[0]
}

/** The component's own folder, where the file is in one. */
function componentOf(file: string): string | undefined {
  const kind = ONE_FOLDER_A_COMPONENT.find((place) => within(file, place))
  return kind === undefined ? undefined : file.split('/').slice(0, 3).join('/')
}

function violation({ from, to, onlyType, lazy }: Import): string | undefined {
  const say = (reason: string): string => `${from} imports ${to}: ${reason}`
  if (!to.startsWith('src/')) {
    const library = Object.keys(HEAVY).find((name) => to === name || to.startsWith(`${name}/`))
    if (library === undefined || onlyType || lazy) return undefined
    return HEAVY[library]!.some((place) => within(from, place)) ? undefined : say('a heavy library, at run time')
  }
  const place = placeOf(from, Object.keys(MAY_IMPORT))
  if (place === undefined) return say('no rule says what this file may import')
  const own = place.startsWith(NV) ? place : (componentOf(from) ?? place)
  const allowed = [...MAY_IMPORT[place]!, ...COMMON, own]
  if (allowed.some((item) => !item.startsWith('type:') && within(to, item))) return undefined
  const asType = allowed.some((item) => item.startsWith('type:') && within(to, item.slice(5)))
  if (!asType) return say(`${place} may import ${allowed.join(', ')}`)
  return onlyType ? undefined : say('only as a type')
}

function sources(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
}

describe('who imports whom', () => {
  it('is as MAY_IMPORT and HEAVY say', () => {
    const all = sources().flatMap((file) => importsOf(file, readFileSync(join(ROOT, file), 'utf8')))
    assert.ok(all.length > 100)
    assert.deepEqual(
      all.flatMap((item) => violation(item) ?? []),
      [],
    )
  })

  // Each rule fails on a file that breaks it.
  const planted: [what: string, from: string, source: string][] = [
    ['config imports component', 'src/config/x.ts', "import { a } from '../component/types.ts'"],
    ['config imports a type of component', 'src/config/x.ts', "import type { a } from '../component/types.ts'"],
    ['component imports service', 'src/component/x.ts', "export { a } from '../service/service.ts'"],
    [
      'an exporter imports a receiver',
      'src/exporters/debug/x.ts',
      "import { a } from '../../receivers/netvitals/index.ts'",
    ],
    ['an exporter imports another', 'src/exporters/debug/x.ts', "import { a } from '../console/table.ts'"],
    ['sending imports an exporter', 'src/exporters/sending/x.ts', "import { a } from '../otlp_grpc/client.ts'"],
    ['a processor imports the service', 'src/processors/batch/x.ts', "import '../../service/service.ts'"],
    ['links loads a module of component', 'src/links/x.ts', "import { a } from '../component/types.ts'"],
    ['the store imports the kernel', `${NV}/metrics/x.ts`, "import { a } from '../kernel/decode.ts'"],
    [
      'destinations load containers',
      `${NV}/destinations/x.ts`,
      "import {\n  a,\n  b,\n} from '../containers/index.ts'",
    ],
    ['lazily all the same', 'src/links/x.ts', "const a = await import('../service/service.ts')"],
    ['a file without a rule', 'src/elsewhere/x.ts', "import { a } from '../service/service.ts'"],
    [
      'the metrics SDK at run time',
      'src/exporters/debug/x.ts',
      "import { DataPointType } from '@opentelemetry/sdk-metrics'",
    ],
    ['gRPC at run time', 'src/service/service.ts', "import { Metadata } from '@grpc/grpc-js'"],
  ]
  for (const [what, from, source] of planted) {
    it(`catches: ${what}`, () =>
      assert.equal(importsOf(from, source).flatMap((item) => violation(item) ?? []).length, 1))
  }

  const right: [what: string, from: string, source: string][] = [
    [
      'a type of the metrics SDK',
      'src/exporters/debug/x.ts',
      "import type { MetricData } from '@opentelemetry/sdk-metrics'",
    ],
    ['the metrics SDK when it is used', 'src/exporters/debug/x.ts', "await import('@opentelemetry/sdk-metrics')"],
    ['an example in a comment', 'src/links/x.ts', "/** import { a } from '../service/service.ts' */"],
    ['its own folder', 'src/exporters/console/x.ts', "import { a } from './table.ts'"],
  ]
  for (const [what, from, source] of right) {
    it(`allows: ${what}`, () =>
      assert.deepEqual(
        importsOf(from, source).flatMap((item) => violation(item) ?? []),
        [],
      ))
  }
})
