/** A running program with many live series: connections of many containers to many destinations, through its ring. */
import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { findCgroupMount } from '../../src/receivers/netvitals/containers/cgroupfs.ts'
import { buildObject, buildProgram } from './build.ts'
import { type Running, ringId, runJson } from './processes.ts'

const CONTAINERS = 100
const DESTINATIONS = 126

/** Enough links for 100,000 series when each has the eight that a link with a connection keeps. */
export async function fillSeries({ pid }: Running): Promise<{ remove(): void }> {
  const slice = join(findCgroupMount().root, 'netvitals-bench.slice')
  const folders = [slice]
  mkdirSync(slice)
  const remove = () => {
    for (const folder of folders.toReversed()) rmdirSync(folder)
  }
  try {
    const ids = Array.from({ length: CONTAINERS }, (_, index) => {
      const folder = join(slice, `docker-${index.toString(16).padStart(64, '0')}.scope`)
      mkdirSync(folder)
      folders.push(folder)
      return String(statSync(folder, { bigint: true }).ino)
    })
    const connections = String(CONTAINERS * DESTINATIONS)
    await runJson(
      buildProgram('fill'),
      buildObject('fill'),
      ringId(pid),
      connections,
      String(DESTINATIONS),
      'retransmits',
      ...ids,
    )
    return { remove }
  } catch (error) {
    remove()
    throw error
  }
}
