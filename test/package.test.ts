import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

const { scripts }: { scripts: Record<string, string> } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
)

test("what runs after the set-up names its Node by path: a shell remembers the machine's own, which it just ran", () => {
  const after = Object.entries(scripts).flatMap(([name, script]) =>
    script
      .split(' && ')
      .slice(1)
      .map((command) => [name, command] as const),
  )
  assert.ok(after.length > 5)
  for (const [name, command] of after) assert.doesNotMatch(command, /^(exec )?node /, name)
})
