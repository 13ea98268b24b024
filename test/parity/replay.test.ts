import assert from 'node:assert/strict'
import { it } from 'node:test'
import { docker28Missing } from '../harness/docker-command.ts'
import { knownDifferences } from './known-differences.ts'
import { replay } from './replay.ts'
import { scenarios } from './scenario.ts'

// What a real Docker Engine did for some hundred command lines, and what engine does for them, told by the same docker command.
const known = knownDifferences('docker')
replay('parity with Docker Engine', { command: 'docker', known, needed: known, skip: docker28Missing })

it('is about two hundred lines and more', () => {
  assert.ok(scenarios().flatMap(({ lines }) => lines).length >= 200)
})
