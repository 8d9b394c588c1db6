#!/usr/bin/env node
import './heap.ts'

// What libraries call that is deprecated is nothing a user can act on.
process.noDeprecation = true

const { main } = await import('./commands/index.ts')
process.exitCode = await main(process.argv.slice(2))
// What is still open (a channel that closes, a slow pipe on stdout) gets a moment and no more.
setTimeout(() => process.exit(), 200).unref()
