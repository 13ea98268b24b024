import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SolveOptions } from './solve.ts'
import { solveFixture } from './testing/solve-fixture.ts'

const fixture = solveFixture()
const { build, history, text } = fixture

describe('the stream', () => {
  test('is the classic builder’s', async () => {
    fixture.executor.behave = () => ({ status: 0, stdout: 'hi\n', stderr: 'oh\n' })
    const id = await build('FROM base\nENV a=b\nRUN echo hi')
    assert.deepEqual(fixture.lines.map((line) => ('aux' in line ? line : line['stream'])).map((line) => (typeof line === 'string' ? line.replace(/[0-9a-f]{12}/, '<id>') : line)), [
      'Step 1/3 : FROM base', '\n', ' ---> <id>\n',
      'Step 2/3 : ENV a=b', '\n', ' ---> Running in <id>\n', ' ---> Removed intermediate container <id>\n', ' ---> <id>\n',
      'Step 3/3 : RUN echo hi', '\n', ' ---> Running in <id>\n', 'hi\n', '\u001b[91moh\n\u001b[0m', ' ---> Removed intermediate container <id>\n', ' ---> <id>\n',
      { aux: { ID: id } },
    ])
  })

  test('tells of the cache', async () => {
    const first = await build('FROM base\nRUN true\nWORKDIR /w')
    assert.equal(await build('FROM base\nRUN true\nWORKDIR /w'), first)
    assert.equal(text(), 'Step 1/3 : FROM base\n ---> <id>\nStep 2/3 : RUN true\n ---> Using cache\n ---> <id>\nStep 3/3 : WORKDIR /w\n ---> Using cache\n ---> <id>\n')
    assert.deepEqual(fixture.executor.calls, ['resolve base'])
    assert.notEqual(await build('FROM base\nRUN true\nWORKDIR /w', {}, { useCache: false }), first)
  })

  test('warns of empty continuation lines and unused arguments', async () => {
    await build('FROM base\nRUN a \\\n\n b', { buildArgs: { NO: '1', HTTP_PROXY: 'p', ALSO: null } })
    assert.match(text(), /^\u001b\[91m\[WARNING\]: Empty continuation line found in: RUN a {2}b\n\u001b\[0m\u001b\[91m\[WARNING\]: Empty continuation lines will become errors in a future release\.\n\u001b\[0mStep 1\/2/)
    assert.match(text(), /\[Warning\] One or more build-args \[ALSO NO\] were not consumed\n$/)
  })

  test('keeps a character that comes in two chunks whole', async () => {
    const euro = Buffer.from('€')
    fixture.executor.createContainer = async () => ({
      id: 'c'.repeat(64), warnings: ['careful'], commit: (image) => fixture.executor.commit(image), remove: async () => undefined, keep: async () => undefined,
      execute: async (output) => {
        await output('stdout', euro.subarray(0, 1))
        await output('stdout', euro.subarray(1))
        return 0
      },
    })
    await build('FROM base\nRUN x')
    assert.ok(fixture.lines.some((line) => line['stream'] === '€'))
    assert.ok(fixture.lines.some((line) => line['stream'] === ' ---> [Warning] careful\n'))
  })
})

test('history tells the steps as Docker does', async () => {
  const id = await build('FROM base\nENV A=1 B="x y"\nWORKDIR /w\nEXPOSE 80\nVOLUME a b\nHEALTHCHECK --interval=90s NONE\nCMD ["a", "\\"q\\""]\nSHELL ["/bin/sh","-ec"]\nENTRYPOINT e\nSTOPSIGNAL 9\nUSER u')
  assert.deepEqual(history(id), [
    'base', '/bin/sh -c #(nop)  ENV A=1 B=x y', '/bin/sh -c #(nop) WORKDIR /w', '/bin/sh -c #(nop)  EXPOSE 80', '/bin/sh -c #(nop)  VOLUME [a b]',
    '/bin/sh -c #(nop)  HEALTHCHECK &{[NONE] 0s 0s 0s 0s 0}', '/bin/sh -c #(nop)  CMD ["a" "\\"q\\""]', '/bin/sh -ec #(nop)  SHELL [/bin/sh -ec]',
    '/bin/sh -ec #(nop)  ENTRYPOINT ["/bin/sh" "-ec" "e"]', '/bin/sh -ec #(nop)  STOPSIGNAL 9', '/bin/sh -ec #(nop)  USER u',
  ])
})

test('a raised signal ends the build and removes its container', async () => {
  const controller = new AbortController()
  fixture.executor.behave = () => {
    controller.abort()
    return { status: 137 }
  }
  await assert.rejects(build('FROM base\nRUN sleep 9\nRUN never', {}, { signal: controller.signal }), { name: 'AbortError' })
  assert.deepEqual(fixture.executor.calls, ['resolve base', 'run ["/bin/sh","-c","sleep 9"]', 'remove'])
})

test('steps fail with Docker’s texts', async () => {
  const failures = {
    'STOPSIGNAL foo': 'invalid signal: foo', 'STOPSIGNAL 0': 'invalid signal: 0', 'EXPOSE abc': 'Invalid containerPort: abc', 'EXPOSE 80/foo': 'Invalid proto: foo',
    'EXPOSE 99999': 'Invalid containerPort: 99999', 'EXPOSE 5-2': 'Invalid containerPort: 5-2', 'WORKDIR ${X}': 'cannot normalize nothing',
    'VOLUME $u': 'VOLUME specified can not be an empty string', 'ENV A=${B?}': 'failed to process "${B?}": B: is not allowed to be unset',
    'COPY http://x/y /z': "COPY failed: source can't be a URL for COPY", 'COPY a b': 'COPY failed: missing build context',
  }
  for (const [instruction, message] of Object.entries(failures)) await assert.rejects(build(`FROM base\n${instruction}`), { message }, instruction)
})

describe('the reason of a miss', () => {
  const why = async (dockerfile: string, options: Partial<SolveOptions> = {}): Promise<string[]> => {
    await build(dockerfile, options, { tellWhy: true })
    return text().split('\n').filter((line) => line.includes('Not cached')).map((line) => line.replace(' ---> Not cached: ', ''))
  }

  test('is in what a step differs from the nearest that is known', async () => {
    assert.deepEqual(await why('FROM base\nARG V\nENV a=1\nRUN x'), ['no earlier build has had a step like it', 'no earlier build has had a step like it', 'no earlier build has had a step like it'])
    assert.deepEqual(await why('FROM base\nARG V\nENV a=1\nRUN x'), [])
    assert.deepEqual(await why('FROM base\nARG V\nENV a=1\nRUN x', { buildArgs: { V: '2' } }), ['build argument V has another value'])
    assert.deepEqual(await why('FROM base\nARG V\nENV a=2\nRUN x', { buildArgs: { V: '2' } }), ['the instruction was "/bin/sh -c #(nop)  ENV a=1"', 'the step before it (or the base image) has another result'])
  })

  test('is a failure when everything was expected to be cached', async () => {
    await build('FROM base\nRUN x')
    await build('FROM base\nRUN x', {}, { tellWhy: true, expectCached: true })
    await assert.rejects(build('FROM base\nRUN y', {}, { tellWhy: true, expectCached: true }), { code: 'conflict', message: /^not cached: / })
  })
})
