import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { SHIM_ENVIRONMENT, SHIM_NODE_OPTIONS } from '@engine/runtime'

/** A setting's values in a unit, by the order of its lines. */
function setting(unit: string, name: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '../systemd', unit), 'utf8')
  return text.split('\n').filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1))
}

it('systemd starts the shim as engined would', () => {
  const [command] = setting('engine-shim.service', 'ExecStart')
  const words = (command ?? '').split(' ')
  assert.deepEqual(words.slice(1, words.indexOf('/usr/local/lib/engine/engine-shim.cjs')), SHIM_NODE_OPTIONS)
  assert.deepEqual(setting('engine-shim.service', 'Environment')[0]?.split(' ').toSorted(), Object.entries(SHIM_ENVIRONMENT).map((pair) => pair.join('=')).toSorted())
})

it("engined's cgroup parent is the delegated unit in its slice", () => {
  const [slice] = setting('engine-containers.service', 'Slice')
  assert.match(setting('engine.service', 'ExecStart')[0] ?? '', new RegExp(`--cgroup-parent /${slice?.replace('.', '\\.')}/engine-containers\\.service( |$)`))
})
