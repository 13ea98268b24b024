import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BuildProgressLine } from '@engine/api/client'
import { showSteps } from './build-progress.ts'

async function* messages(...list: readonly BuildProgressLine[]): AsyncGenerator<BuildProgressLine> {
  yield* list
}

async function show(kind: 'plain' | 'tty', ...list: readonly BuildProgressLine[]): Promise<string> {
  let text = ''
  await showSteps(messages(...list), kind, { print: (more) => void (text += more), terminal: kind === 'tty' }, () => undefined)
  return text
}

const step = { id: 1, name: '[a 1/2] RUN x', started: 1000 }

describe('steps of a build', () => {
  it('are lines in a log, apart from each other', async () => {
    const text = await show('plain', { vertex: step }, { vertexLog: { id: 1, stream: 'stdout', data: 'half' } }, { vertex: { ...step, id: 2, name: 'other' } }, { vertexLog: { id: 1, stream: 'stdout', data: ' line\nrest' } }, { vertex: { ...step, completed: 1200 } }, { vertex: { ...step, id: 2, name: 'other', cached: true, completed: 1000 } })
    assert.equal(text.replace(/\d+\.\d{3}/g, 'T'), '#1 [a 1/2] RUN x\n\n#2 other\n\n#1 T half line\n#1 T rest\n#1 DONE 0.2s\n\n#2 CACHED\n\n')
  })

  it('are a list on a terminal, in which no output moves the cursor', async () => {
    const text = await show('tty', { vertex: step }, { vertexLog: { id: 1, stream: 'stdout', data: 'a\u001b[2Jb\u0007\n' } }, { vertex: { ...step, completed: 2500 } })
    assert.match(text, /\[\+\] Building \d+\.\ds \(1\/1\) FINISHED\n/)
    assert.match(text, / => \[a 1\/2\] RUN x +1\.5s/)
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(text, /\u001b\[2J|\u0007/)
  })
})
