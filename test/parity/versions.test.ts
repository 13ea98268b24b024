import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { VersionedDaemon, versions, type VersionedAnswer } from './versions/ask.ts'
import { excuseOf } from './versions/known.ts'
import { readRecording, stepsOf } from './versions/recording.ts'

/** What a real Docker Engine answers to clients of every age, and what engine does. */
describe('answers by versions of the API', () => {
  const recorded = readRecording()
  let daemon: TestDaemon
  let own: Record<string, Record<string, VersionedAnswer>>

  before(async () => {
    daemon = await startDaemon()
    own = await new VersionedDaemon(daemon.socket).ask()
  })
  after(() => daemon?.[Symbol.asyncDispose]())

  it('were recorded for every request and version', () => {
    assert.deepEqual(Object.keys(recorded).sort(), Object.keys(own).sort(), 'record again: test/parity/versions/record.ts')
    for (const answers of Object.values(recorded)) assert.deepEqual(Object.keys(answers), versions)
  })

  for (const [name, answers] of Object.entries(recorded)) {
    it(name, () => {
      const found = versions.flatMap((version) => differences(answers[version], own[name]?.[version]).filter((line) => excuseOf(name, line) === undefined).map((line) => ({ version, line })))
      // The same in many versions: told once, with the versions.
      const lines = [...new Set(found.map(({ line }) => line))].map((line) => {
        const those = found.filter((one) => one.line === line).map(({ version }) => version)
        return `${those.at(-1)} to ${those[0]}: ${line}`
      })
      assert.equal(lines.length, 0, `${name}:\n${lines.join('\n')}`)
    })
  }
})

describe('a recording by versions', () => {
  it('keeps what changes, and only that', () => {
    const answer = (...fields: string[]): VersionedAnswer => ({ status: 200, type: 'application/json', fields })
    const steps = stepsOf({ '1.51': answer('a', 'b'), '1.50': answer('a', 'b'), '1.49': answer('a', 'c'), '1.48': { ...answer('a', 'c'), status: 201 } })
    assert.deepEqual(steps.map(({ version, status, more, less }) => [version, status, more.join(), less.join()]), [['1.51', 200, 'a,b', ''], ['1.49', 200, 'c', 'b'], ['1.48', 201, '', '']])
  })
})

/** What Docker's answer has and ours has not, and the other way round. */
function differences(docker: VersionedAnswer | undefined, engine: VersionedAnswer | undefined): string[] {
  if (docker === undefined || engine === undefined) return ['no answer']
  const found: string[] = []
  for (const name of ['status', 'type', 'message'] as const) if (docker[name] !== engine[name]) found.push(`${name} is ${engine[name]}, not ${docker[name]}`)
  if (docker.status !== engine.status) return found
  return [...found, ...docker.fields.filter((field) => !engine.fields.includes(field)).map((field) => `without ${field}`), ...engine.fields.filter((field) => !docker.fields.includes(field)).map((field) => `with ${field}`)]
}
