import { setTimeout as sleep } from 'node:timers/promises'
import { both, inTurn } from './phases.ts'
import type { Program } from './programs.ts'
import { ports, type World } from './world.ts'

/** Bulk transfer both ways on every path, while each receiver loses 30 % of what arrives. Connections stay open. */
export async function bulkUnderLoss(world: World): Promise<void> {
  const { programs, west, east } = world
  const paths: [Program, string[]][] = [
    [programs.shop, both(east, ports.api)],
    [programs.worker, both(east, ports.store)],
    [programs.caller, both(west, ports.cache)],
  ]
  for (const [program, destinations] of paths)
    await inTurn(
      program,
      destinations.map((to) => `connect to=${to} n=3 end=more`),
    )
  await lossy(
    world,
    3000,
    paths.map(([program]) => program.command('exchange up=100000 down=100000 for_ms=3000')),
  )
}

export async function bulkEnded({ programs }: World): Promise<void> {
  for (const program of [programs.shop, programs.worker, programs.caller]) await program.command('end end=client_fin')
}

/** New connections under the same loss, from one container to one other: handshakes and FINs are lost too. */
export async function churnUnderLoss(world: World): Promise<void> {
  const { containers, east, n, driver } = world
  await lossy(
    world,
    3000,
    both(east, ports.api).map((to) =>
      driver(containers.shop).command(`connect to=${to} n=${n(100)} fd=exec parallel=50 end=more up=3000 down=3000`),
    ),
  )
}

/** Starts the loss after the work began, and ends it so that the work can end. */
async function lossy({ lab }: World, forMs: number, work: readonly Promise<unknown>[]): Promise<void> {
  for (const namespace of lab.namespaces)
    namespace.filter({ input: ['meta l4proto tcp numgen random mod 100 < 30 drop'] })
  await Promise.race([sleep(forMs), Promise.all(work)])
  for (const namespace of lab.namespaces) namespace.filter({})
  await Promise.all(work)
}
