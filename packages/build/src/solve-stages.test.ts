import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { solveFixture } from './testing/solve-fixture.ts'

const fixture = solveFixture()
const { build, config, text } = fixture

describe('stages', () => {
  test('that the target does not need are skipped', async () => {
    const file = 'FROM base AS a\nRUN a\nFROM base AS unused\nRUN unused\nFROM a AS c\nRUN c\nFROM base AS last\nRUN last'
    await build(file, { target: 'C' })
    assert.deepEqual(fixture.executor.calls.filter((call) => call.startsWith('run')), ['run ["/bin/sh","-c","a"]', 'run ["/bin/sh","-c","c"]'])
    assert.match(text(), /^Step 1\/4 : FROM base AS a\n/)
    await build(file)
    assert.deepEqual(fixture.executor.calls.filter((call) => call.startsWith('run')), ['run ["/bin/sh","-c","last"]'])
  })

  test('begin where others ended, with their configuration and triggers', async () => {
    const id = await build('FROM base AS a\nENV x=1\nONBUILD ENV y=2\nONBUILD RUN trigger\nFROM A')
    assert.deepEqual(config(id)?.Env, ['PATH=/bin', 'x=1', 'y=2'])
    assert.equal(config(id)?.OnBuild, undefined)
    assert.match(text(), /FROM A\n# Executing 2 build triggers\n ---> Running in <id>\n/)
    assert.equal(fixture.lines.filter((line) => 'aux' in line).length, 2)
  })

  test('have names that are told apart', async () => {
    await assert.rejects(build('FROM base', { target: 'nope' }), { message: 'target stage "nope" could not be found' })
    await assert.rejects(build('ARG X=\nFROM $X'), { message: 'base name ($X) should not be blank' })
    const messages = { 0: 'refers to current build stage', 5: 'index out of bounds', nope: 'No such image: nope' }
    for (const [from, message] of Object.entries(messages)) {
      await assert.rejects(build(`FROM base\nCOPY --from=${from} a /b`), { message: `invalid from flag value ${from}: ${message}` })
    }
  })

  test('from scratch have the default path, and must make something', async () => {
    assert.deepEqual(config(await build('FROM scratch\nUSER x'))?.Env, ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'])
    await assert.rejects(build('FROM scratch'), { message: 'No image was generated. Is your Dockerfile empty?' })
  })

  test('get the labels of the build at their end', async () => {
    const id = await build('FROM base AS a\nLABEL a=file\nFROM base', { target: 'a', labels: { b: '$x', a: 'given' } })
    assert.deepEqual(config(id)?.Labels, { a: 'given', b: '$x' })
    assert.match(text(), /Step 3\/4 : LABEL a=given\n/)
  })

  test('begin from what global arguments name', async () => {
    await build('ARG V=1\nARG N=ba${X:-se}\nFROM $N', { buildArgs: { V: '2' } })
    assert.match(text(), /^Step 1\/3 : ARG V=1\nStep 2\/3 : ARG N=ba\$\{X:-se\}\nStep 3\/3 : FROM \$N\n ---> <id>\n$/)
  })

  test('pass their platform on', async () => {
    await build('ARG P=linux/arm64\nFROM --platform=$P base\nUSER x')
    assert.deepEqual(fixture.executor.calls[0], 'resolve base linux/arm64')
  })
})

describe('stages', () => {
  test('that do not wait for each other are built at once, and told in their order', async () => {
    const running = new Set<string>()
    let together = 0
    fixture.executor.createContainer = async (parent, { Cmd }) => ({
      id: 'c'.repeat(64), warnings: [], remove: async () => undefined, keep: async () => undefined, commit: (image) => fixture.executor.commit({ ...image, parent }),
      execute: async (output) => {
        const name = Cmd?.at(-1) ?? ''
        running.add(name)
        together = Math.max(together, running.size)
        // The first stage is the last to end.
        await new Promise((resolve) => setTimeout(resolve, name === 'a' ? 60 : 30))
        await output('stdout', Buffer.from(`${name}\n`))
        running.delete(name)
        return 0
      },
    })
    await build('FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM scratch\nCOPY --from=a /x /\nCOPY --from=b /x /').catch(() => undefined)
    assert.equal(together, 2)
    assert.match(text(), /Step 1\/7 : FROM base AS a\n.*Step 2\/7 : RUN a\n.*\na\n.*Step 3\/7 : FROM base AS b\n.*Step 4\/7 : RUN b\n.*\nb\n.*Step 5\/7/s)
  })

  test('run the same step once', async () => {
    let runs = 0
    fixture.executor.behave = () => {
      runs++
      return { status: 0 }
    }
    await build('FROM base AS a\nRUN same\nFROM base AS b\nRUN same\nENV x=1\nFROM a\nRUN --mount=from=b,target=/b last', {}, { useCache: false })
    assert.equal(runs, 2)
  })

  test('end when another fails, and the build tells of the failure', async () => {
    let ended = false
    fixture.executor.createContainer = async (parent, { Cmd }) => ({
      id: 'c'.repeat(64), warnings: [], remove: async () => undefined, keep: async () => undefined, commit: (image) => fixture.executor.commit({ ...image, parent }),
      execute: async (_output, signal) => {
        if (Cmd?.at(-1) === 'bad') return 7
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        ended = true
        return 137
      },
    })
    await assert.rejects(build('FROM base AS slow\nRUN slow\nFROM base\nRUN bad\nCOPY --from=slow / /'), { message: "The command '/bin/sh -c bad' returned a non-zero code: 7", exitCode: 7 })
    assert.ok(ended)
  })

  test('are named by what the client says first', async () => {
    fixture.executor.add('other', { Labels: { other: 'yes' } })
    const contexts = new Map([['base', { kind: 'image', reference: 'other' } as const], ['mine', { kind: 'image', reference: 'other' } as const]])
    assert.deepEqual(config(await build('FROM base\nENV a=b', {}, { contexts }))?.Labels, { other: 'yes' })
    assert.deepEqual(config(await build('FROM scratch AS mine\nFROM mine\nENV a=b', {}, { contexts }))?.Labels, { other: 'yes' })
  })
})
