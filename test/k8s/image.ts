import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ImageOptions {
  /** `localhost/busybox:1` */
  readonly name: string
  /** Folder that becomes its root. */
  readonly root: string
  /** What runs, whatever a pod's `args` are. */
  readonly entrypoint?: readonly string[]
  /** What runs, or the entry point's arguments, where a pod says nothing. */
  readonly command?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const ARCHITECTURE: Partial<Record<NodeJS.Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }

/**
 * An image of one layer as a tar file in OCI layout, which `ctr images import` takes: no registry, no builder.
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export async function writeImage(directory: string, options: ImageOptions): Promise<string> {
  const { name, root, entrypoint = [], command = [], env = {} } = options
  const layout = join(directory, `${name.replace(/\W+/g, '-')}.oci`)
  const blobs = join(layout, 'blobs', 'sha256')
  mkdirSync(blobs, { recursive: true })

  function blob(mediaType: string, content: string): object {
    const digest = createHash('sha256').update(content).digest('hex')
    writeFileSync(join(blobs, digest), content)
    return { mediaType, digest: `sha256:${digest}`, size: Buffer.byteLength(content) }
  }

  const layerFile = join(layout, 'layer.tar')
  tar(layerFile, root)
  const diffId = await digestOf(layerFile)
  renameSync(layerFile, join(blobs, diffId))
  const layer = {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: `sha256:${diffId}`,
    size: statSync(join(blobs, diffId)).size,
  }
  const config = blob(
    'application/vnd.oci.image.config.v1+json',
    JSON.stringify({
      architecture: ARCHITECTURE[process.arch],
      os: 'linux',
      config: {
        Entrypoint: entrypoint,
        Cmd: command,
        Env: Object.entries({ PATH: '/bin:/sbin:/usr/bin:/usr/sbin', ...env }).map(([key, value]) => `${key}=${value}`),
      },
      rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    }),
  )
  const manifestType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = blob(
    manifestType,
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [layer] }),
  )
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':').at(-1) }
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations }] }
  writeFileSync(join(layout, 'index.json'), JSON.stringify(index))
  writeFileSync(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  const file = `${layout}.tar`
  tar(file, layout)
  rmSync(layout, { recursive: true })
  return file
}

function tar(file: string, folder: string): void {
  execFileSync('tar', ['--owner=0', '--group=0', '--numeric-owner', '-C', folder, '-cf', file, '.'])
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Programs and shared objects, with all the libraries that they are linked to, at the places where they are here. */
export function librariesOf(files: readonly string[]): string[] {
  const found = new Set<string>()
  for (const file of files) {
    const text = execFileSync('ldd', [file], { encoding: 'utf8' })
    for (const [, path] of text.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) found.add(path!)
  }
  return [...found]
}
