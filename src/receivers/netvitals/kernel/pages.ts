import { loadAddon } from './tracer.ts'

/** @see NativeAddon.releasePages */
export async function releasePages(): Promise<number> {
  return loadAddon().releasePages()
}
