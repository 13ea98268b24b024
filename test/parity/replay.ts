import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { alignEvents, differencesOf } from './compare.ts'
import { covers, type KnownDifference } from './known-differences.ts'
import { withoutDockerOnly } from './docker-only.ts'
import { Stage, type Command } from './play.ts'
import { readRecording } from './recording.ts'
import { scenarios } from './scenario.ts'

/**
 * Plays all that was recorded of a real Docker Engine against engine, and compares.
 * @param known differences that are meant to be
 * @param needed those of them that have to be met; the others are another suite's
 */
export function replay(title: string, options: { readonly command: Command; readonly known: readonly KnownDifference[]; readonly needed: readonly KnownDifference[]; readonly skip: string | false }): void {
  const { command, known, needed, skip } = options
  describe(title, { skip }, () => {
    let daemon: TestDaemon
    let stage: Stage
    const met = new Set<KnownDifference>()

    before(async () => {
      // As large as Docker's own, in addresses that no other test has.
      daemon = await startDaemon({ bip: '198.19.0.1/16', 'log-level': 'info' })
      stage = await Stage.open(daemon.socket, command)
    })
    after(async () => {
      stage?.[Symbol.dispose]()
      await daemon?.[Symbol.asyncDispose]()
    })

    for (const scenario of scenarios()) {
      it(scenario.name, async () => {
        const { lines: recorded } = readRecording(scenario.name)
        const lines = command === 'docker' ? recorded : recorded.map(withoutDockerOnly)
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
      const gone = needed.filter((row) => !met.has(row))
      assert.deepEqual(gone.map(({ lines: patterns, where }) => `${patterns.join(', ')}: ${where.join(', ')}`), [])
    })
  })
}
