import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { understand } from './build.ts'
import { Gate } from './gate.ts'
import { BuildOutput, type BuildLine } from './output.ts'
import { solve, type SolveOptions } from './solve.ts'
import type { Build } from './steps/step.ts'
import type { StepSettings } from './executor.ts'
import { RecordingExecutor } from './testing/recording-executor.ts'

let base: string
let executor: RecordingExecutor
let lines: BuildLine[]

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'solve-'))
  executor = new RecordingExecutor(base)
  executor.add('base', { Cmd: ['sh'], Env: ['PATH=/bin'] })
})
afterEach(() => rmSync(base, { recursive: true }))

async function build(dockerfile: string, options: Partial<SolveOptions> = {}, changed: Partial<Build> = {}): Promise<string> {
  lines = []
  executor.calls.length = 0
  const output = new BuildOutput((line) => void lines.push(line))
  const { image } = await solve(understand(dockerfile), { target: '', buildArgs: {}, labels: {}, ...options }, {
    executor, output, unpack: async () => undefined, scratch: base, signal: new AbortController().signal, context: undefined,
    escape: '\\', platform: '', useCache: true, remove: 'success', tellWhy: false, expectCached: false, made: new Map(), gate: new Gate(2),
    contexts: new Map(), inputs: { secrets: new Map(), agents: new Map() }, entitlements: new Set(), epoch: undefined, hostname: 'h', ...changed,
  })
  return image
}

/** The stream's text, ids replaced. */
function text(): string {
  return lines.map((line) => (line['stream'] as string | undefined) ?? '').join('').replace(/\b[0-9a-f]{12}\b/g, '<id>')
}

function history(id: string): string[] {
  const image = executor.images.get(id)
  return image === undefined ? [] : [...history(image.parent), image.createdBy]
}

const config = (id: string) => executor.images.get(id)?.config

describe('the stream', () => {
  test('is the classic builder’s', async () => {
    executor.behave = () => ({ status: 0, stdout: 'hi\n', stderr: 'oh\n' })
    const id = await build('FROM base\nENV a=b\nRUN echo hi')
    assert.deepEqual(lines.map((line) => ('aux' in line ? line : line['stream'])).map((line) => (typeof line === 'string' ? line.replace(/[0-9a-f]{12}/, '<id>') : line)), [
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
    assert.deepEqual(executor.calls, ['resolve base'])
    assert.notEqual(await build('FROM base\nRUN true\nWORKDIR /w', {}, { useCache: false }), first)
  })

  test('warns of empty continuation lines and unused arguments', async () => {
    await build('FROM base\nRUN a \\\n\n b', { buildArgs: { NO: '1', HTTP_PROXY: 'p', ALSO: null } })
    assert.match(text(), /^\u001b\[91m\[WARNING\]: Empty continuation line found in: RUN a {2}b\n\u001b\[0m\u001b\[91m\[WARNING\]: Empty continuation lines will become errors in a future release\.\n\u001b\[0mStep 1\/2/)
    assert.match(text(), /\[Warning\] One or more build-args \[ALSO NO\] were not consumed\n$/)
  })

  test('keeps a character that comes in two chunks whole', async () => {
    const euro = Buffer.from('€')
    executor.createContainer = async () => ({
      id: 'c'.repeat(64), warnings: ['careful'], commit: (image) => executor.commit(image), remove: async () => undefined, keep: async () => undefined,
      execute: async (output) => {
        await output('stdout', euro.subarray(0, 1))
        await output('stdout', euro.subarray(1))
        return 0
      },
    })
    await build('FROM base\nRUN x')
    assert.ok(lines.some((line) => line['stream'] === '€'))
    assert.ok(lines.some((line) => line['stream'] === ' ---> [Warning] careful\n'))
  })
})

describe('a configuration', () => {
  test('is what the instructions say', async () => {
    const id = await build(String.raw`FROM base
ENV A=1 B="x y" C=$A
LABEL a=b "c d"="e f"
EXPOSE 80 443/udp 1000-1001
VOLUME /v ["/x"]
USER bob
WORKDIR /w
WORKDIR sub/../$A
STOPSIGNAL SIGINT
SHELL ["/bin/sh","-ec"]
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT echo hi
CMD ["a", "b\n"]
ONBUILD RUN echo ob
MAINTAINER me`)
    assert.deepEqual(config(id), {
      Cmd: ['a', 'b\n'], Env: ['PATH=/bin', 'A=1', 'B=x y', 'C='], Labels: { a: 'b', 'c d': 'e f' },
      ExposedPorts: { '80/tcp': {}, '443/udp': {}, '1000/tcp': {}, '1001/tcp': {} }, Volumes: { '/v': {}, '[/x]': {} }, User: 'bob',
      WorkingDir: '/w/1', StopSignal: 'SIGINT', Shell: ['/bin/sh', '-ec'], Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
      Entrypoint: ['/bin/sh', '-ec', 'echo hi'], OnBuild: ['RUN echo ob'],
    })
  })
})

describe('commands', () => {
  const commands: readonly (readonly [string, object])[] = [
    ['CMD x', { Cmd: ['/bin/sh', '-c', 'x'] }],
    ['CMD []', { Cmd: [] }],
    ['CMD', { Cmd: ['/bin/sh', '-c'] }],
    ['ENTRYPOINT ["e"]', { Entrypoint: ['e'] }],
    ['CMD x\nENTRYPOINT ["e"]', { Cmd: ['/bin/sh', '-c', 'x'], Entrypoint: ['e'] }],
    ['ENTRYPOINT ["e"]\nENTRYPOINT []\nCMD ["y"]', { Cmd: ['y'] }],
    ['SHELL ["/bin/bash", "-c"]\nCMD x', { Shell: ['/bin/bash', '-c'], Cmd: ['/bin/bash', '-c', 'x'] }],
  ]
  for (const [text, expected] of commands) {
    test(text.replaceAll('\n', '; '), async () => assert.deepEqual(config(await build(`FROM base\n${text}`)), { Env: ['PATH=/bin'], ...expected }))
  }

  test('of RUN have neither entry point nor health check, and the image keeps its own', async () => {
    let seen: object | undefined
    executor.behave = (config) => ({ status: (seen = config) === undefined ? 1 : 0 })
    const id = await build('FROM base\nENTRYPOINT ["e"]\nCMD ["c"]\nHEALTHCHECK CMD h\nRUN echo "$A"')
    assert.deepEqual(seen, { Env: ['PATH=/bin'], Entrypoint: [], Hostname: 'h', Cmd: ['/bin/sh', '-c', 'echo "$A"'], Healthcheck: { Test: ['NONE'] } })
    assert.deepEqual(config(id), { Env: ['PATH=/bin'], Entrypoint: ['e'], Cmd: ['c'], Healthcheck: { Test: ['CMD-SHELL', 'h'] } })
  })

  test('that fail end the build with their status', async () => {
    executor.behave = () => ({ status: 3 })
    await assert.rejects(build('FROM base\nRUN exit 3'), { message: "The command '/bin/sh -c exit 3' returned a non-zero code: 3", exitCode: 3 })
    assert.deepEqual(executor.calls.filter((call) => call === 'remove' || call === 'keep'), ['keep'])
    await assert.rejects(build('FROM base\nRUN exit 3', {}, { remove: 'always' }), { exitCode: 3 })
    assert.deepEqual(executor.calls.filter((call) => call === 'remove'), ['remove'])
    assert.match(text(), /Running in <id>\n ---> Removed intermediate container <id>\n$/)
  })

  test('in here-documents run in the shell, or as a script', async () => {
    const seen: unknown[] = []
    executor.behave = (config, files) => ({ status: seen.push([config.Cmd, files]) > 0 ? 0 : 1 })
    await build('FROM base\nRUN <<-EOF\n\techo $a\n\tEOF\nRUN <<E\n#!/bin/awk\nx\nE\nRUN cat <<A | sort <<B\n1\nA\n2\nB\n')
    assert.deepEqual(seen, [
      [['/bin/sh', '-c', 'echo $a\n'], []],
      [['/bin/sh', '-c', '/dev/pipes/E'], [{ path: '/dev/pipes/E', data: '#!/bin/awk\nx\n', mode: 0o755 }]],
      [['/bin/sh', '-c', 'cat <<A | sort <<B\n1\nA\n2\nB'], []],
    ])
  })

  test('get mounts, which count for the cache, and secrets, which do not', async () => {
    const seen: StepSettings[] = []
    executor.behave = (_config, _files, _root, settings) => {
      seen.push(settings)
      return { status: 0 }
    }
    const inputs = (text: string): Build['inputs'] => ({ secrets: new Map([['s', Buffer.from(text)]]), agents: new Map([['default', '/agent']]) })
    const file = 'FROM base\nWORKDIR /w\nARG T=/t\nRUN --mount=type=cache,target=c,sharing=locked --mount=type=tmpfs,target=$T,size=1m --mount=type=secret,id=s --mount=type=secret,id=s,env=E --mount=type=secret,id=none --mount=type=ssh true'
    await build(file, {}, { inputs: inputs('one') })
    assert.deepEqual(seen[0]?.mounts, [
      { kind: 'cache', target: '/w/c', id: '/w/c', sharing: 'locked', readOnly: false, mode: 0o755, uid: 0, gid: 0, initial: undefined },
      { kind: 'tmpfs', target: '/t', size: 1 << 20 },
      { kind: 'secret', target: '/run/secrets/s', data: Buffer.from('one'), mode: 0o400, uid: 0, gid: 0 },
      { kind: 'ssh', target: '/run/buildkit/ssh_agent.0', agent: '/agent', mode: 0o600, uid: 0, gid: 0 },
    ])
    assert.deepEqual(seen[0]?.secretEnvironment, ['E=one'])
    assert.doesNotMatch(JSON.stringify([executor.keys, [...executor.images.values()], lines]), /one"|E=one/)
    await build(file, {}, { inputs: inputs('two') })
    assert.equal(seen.length, 1, 'another value of a secret is no reason to run again')
    await build(file.replace('sharing=locked', 'sharing=shared'), {}, { inputs: inputs('two') })
    assert.equal(seen.length, 2)
    await assert.rejects(build('FROM base\nRUN --mount=type=secret,id=x,required true'), { message: 'secret x: not found' })
  })

  test('leave their box only when the build allows it', async () => {
    await assert.rejects(build('FROM base\nRUN --security=insecure true'), { code: 'forbidden' })
    await assert.rejects(build('FROM base\nRUN --network=host true'), { code: 'forbidden', message: /network\.host/ })
    let seen: StepSettings | undefined
    executor.behave = (_config, _files, _root, settings) => {
      seen = settings
      return { status: 0 }
    }
    await build('FROM base\nRUN --security=insecure --network=none true', {}, { entitlements: new Set(['security.insecure']) })
    assert.deepEqual([seen?.insecure, seen?.network], [true, 'none'])
  })
})

describe('build arguments', () => {
  test('count from their ARG on, in their stage, and give way to ENV', async () => {
    const id = await build('ARG G=g\nARG H=${G}h\nFROM base\nENV before=$A\nARG A=1\nENV after=$A\nARG H\nARG G=mine\nLABEL v=$H$G\nENV A=env\nARG A=2\nLABEL a=$A', { buildArgs: { A: 'given' } })
    assert.deepEqual(config(id)?.Env, ['PATH=/bin', 'before=', 'after=given', 'A=env'])
    assert.deepEqual(config(id)?.Labels, { v: 'ghmine', a: 'env' })
    const other = await build('FROM base AS one\nARG A=1\nFROM base\nLABEL a=x$A')
    assert.deepEqual(config(other)?.Labels, { a: 'x' })
  })

  test('go to RUN and its history', async () => {
    let environment: unknown
    executor.behave = (config) => ({ status: (environment = config.Env) === undefined ? 1 : 0 })
    const id = await build('FROM base\nARG B=2\nARG A\nARG UNSET\nRUN true', { buildArgs: { A: '1' } })
    assert.deepEqual(environment, ['PATH=/bin', 'B=2', 'A=1'])
    assert.equal(history(id).at(-1), '|2 A=1 B=2 /bin/sh -c true')
    assert.deepEqual(config(id)?.Env, ['PATH=/bin'])
  })

  test('for proxies need no ARG and do not change the key', async () => {
    let environment: unknown
    executor.behave = (config) => ({ status: (environment = config.Env) === undefined ? 1 : 0 })
    const first = await build('FROM base\nRUN true', { buildArgs: { http_proxy: 'a' } })
    assert.deepEqual(environment, ['PATH=/bin', 'http_proxy=a'])
    assert.equal(history(first).at(-1), '|0 /bin/sh -c true')
    assert.equal(await build('FROM base\nRUN true', { buildArgs: { http_proxy: 'b' } }), first)
    assert.notEqual(await build('FROM base\nARG http_proxy\nRUN true', { buildArgs: { http_proxy: 'b' } }), first)
  })

  test('change the key of RUN by their values', async () => {
    const file = 'FROM base\nARG A\nRUN true'
    const first = await build(file, { buildArgs: { A: '1' } })
    assert.notEqual(await build(file, { buildArgs: { A: '2' } }), first)
    assert.equal(await build(file, { buildArgs: { A: '1' } }), first)
  })

  test('about the platform are there', async () => {
    const id = await build('ARG TARGETARCH\nFROM base\nARG TARGETARCH TARGETPLATFORM BUILDOS\nLABEL a=$TARGETARCH,$TARGETPLATFORM,$BUILDOS', {}, { platform: 'linux/arm/v7' })
    assert.deepEqual(config(id)?.Labels, { a: 'arm,linux/arm/v7,linux' })
  })
})

describe('stages', () => {
  test('that the target does not need are skipped', async () => {
    const file = 'FROM base AS a\nRUN a\nFROM base AS unused\nRUN unused\nFROM a AS c\nRUN c\nFROM base AS last\nRUN last'
    await build(file, { target: 'C' })
    assert.deepEqual(executor.calls.filter((call) => call.startsWith('run')), ['run ["/bin/sh","-c","a"]', 'run ["/bin/sh","-c","c"]'])
    assert.match(text(), /^Step 1\/4 : FROM base AS a\n/)
    await build(file)
    assert.deepEqual(executor.calls.filter((call) => call.startsWith('run')), ['run ["/bin/sh","-c","last"]'])
  })

  test('begin where others ended, with their configuration and triggers', async () => {
    const id = await build('FROM base AS a\nENV x=1\nONBUILD ENV y=2\nONBUILD RUN trigger\nFROM A')
    assert.deepEqual(config(id)?.Env, ['PATH=/bin', 'x=1', 'y=2'])
    assert.equal(config(id)?.OnBuild, undefined)
    assert.match(text(), /FROM A\n# Executing 2 build triggers\n ---> Running in <id>\n/)
    assert.equal(lines.filter((line) => 'aux' in line).length, 2)
  })

  test('have names that are told apart', async () => {
    await assert.rejects(build('FROM base AS a\nFROM base AS a'), { message: 'a stage name already used' })
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
    assert.deepEqual(executor.calls[0], 'resolve base linux/arm64')
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
  executor.behave = () => {
    controller.abort()
    return { status: 137 }
  }
  await assert.rejects(build('FROM base\nRUN sleep 9\nRUN never', {}, { signal: controller.signal }), { name: 'AbortError' })
  assert.deepEqual(executor.calls, ['resolve base', 'run ["/bin/sh","-c","sleep 9"]', 'remove'])
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

describe('stages', () => {
  test('that do not wait for each other are built at once, and told in their order', async () => {
    const running = new Set<string>()
    let together = 0
    executor.createContainer = async (parent, { Cmd }) => ({
      id: 'c'.repeat(64), warnings: [], remove: async () => undefined, keep: async () => undefined, commit: (image) => executor.commit({ ...image, parent }),
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
    executor.behave = () => {
      runs++
      return { status: 0 }
    }
    await build('FROM base AS a\nRUN same\nFROM base AS b\nRUN same\nENV x=1\nFROM a\nRUN --mount=from=b,target=/b last', {}, { useCache: false })
    assert.equal(runs, 2)
  })

  test('end when another fails, and the build tells of the failure', async () => {
    let ended = false
    executor.createContainer = async (parent, { Cmd }) => ({
      id: 'c'.repeat(64), warnings: [], remove: async () => undefined, keep: async () => undefined, commit: (image) => executor.commit({ ...image, parent }),
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
    executor.add('other', { Labels: { other: 'yes' } })
    const contexts = new Map([['base', { kind: 'image', reference: 'other' } as const], ['mine', { kind: 'image', reference: 'other' } as const]])
    assert.deepEqual(config(await build('FROM base\nENV a=b', {}, { contexts }))?.Labels, { other: 'yes' })
    assert.deepEqual(config(await build('FROM scratch AS mine\nFROM mine\nENV a=b', {}, { contexts }))?.Labels, { other: 'yes' })
  })
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
