import assert from 'node:assert/strict'
import { it } from 'node:test'
import { cgroupParent } from './cgroup-path.ts'

it('is a path below the hierarchy’s root, however a client gives it', () => {
  for (const [given, path] of [['/engine', '/engine'], ['a/b/', '/a/b'], ['//a//./b', '/a/b'], ['../../tmp', '/tmp'], ['/a/../../../../tmp', '/tmp'], ['/..', ''], ['', '']] as const) assert.equal(cgroupParent(given), path)
})
