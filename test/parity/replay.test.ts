import { docker28Missing } from '../harness/docker-command.ts'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { alignEvents, differencesOf } from './compare.ts'
import { covers, knownDifferences, type KnownDifference } from './known-differences.ts'
import { Stage } from './play.ts'
import { readRecording } from './recording.ts'
import { scenarios } from './scenario.ts'

/** What a real Docker Engine did for some hundred command lines, and what engine does for them, told by the same docker command. */
describe('parity with Docker Engine', { skip: docker28Missing }, () => {
  let daemon: TestDaemon
  let stage: Stage
  const known = knownDifferences()
  const met = new Set<KnownDifference>()

  before(async () => {
    // As large as Docker's own, in addresses that no other test has.
    daemon = await startDaemon({ bip: '198.19.0.1/16', 'log-level': 'info' })
    stage = await Stage.open(daemon.socket)
  })
  after(async () => {
    stage?.[Symbol.dispose]()
    await daemon?.[Symbol.asyncDispose]()
  })

  for (const scenario of scenarios()) {
    it(scenario.name, async () => {
      const { lines } = readRecording(scenario.name)
      assert.deepEqual(lines.map(({ line }) => line), scenario.lines, 'the scenario has changed since: record it again (test/parity/record.ts)')
      const played = alignEvents(lines, await stage.play(scenario))
      const unlisted = lines.flatMap(({ line, ...was }, index) => differencesOf(was, played[index] ?? { status: -1, stdout: [], stderr: [], events: [] }).filter((difference) => {
        const rows = known.filter((row) => covers(row, line, difference))
        for (const row of rows) met.add(row)
        return rows.length === 0
      }).map(({ where, was: docker, is: engine }) => `${line}\n  ${where}\n    docker ${JSON.stringify(docker)}\n    engine ${JSON.stringify(engine)}`))
      assert.equal(unlisted.length, 0, `differences that docs/compatibility.md does not list:\n${unlisted.join('\n')}`)
    })
  }

  it('has every difference that docs/compatibility.md lists', () => {
    const gone = known.filter((row) => !met.has(row))
    assert.deepEqual(gone.map(({ lines: patterns, where }) => `${patterns.join(', ')}: ${where.join(', ')}`), [])
  })

  it('is about two hundred lines and more', () => {
    assert.ok(scenarios().flatMap(({ lines }) => lines).length >= 200)
  })
})
