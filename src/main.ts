#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// What libraries call that is deprecated is nothing a user can act on.
process.noDeprecation = true
// Before anything is loaded: V8 would let the space of young objects grow to three times 16 MiB, for a program that idles.
setFlagsFromString('--semi-space-growth-factor=1')

const { main } = await import('./commands/index.ts')
process.exitCode = await main(process.argv.slice(2))
// What is still open (a channel that closes, a slow pipe on stdout) gets a moment and no more.
setTimeout(() => process.exit(), 200).unref()
