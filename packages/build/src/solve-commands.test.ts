import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { builderArgs } from './builder-args.ts'
import type { StepSettings } from './executor.ts'
import type { Build } from './steps/step.ts'
import { solveFixture } from './testing/solve-fixture.ts'

const fixture = solveFixture()
const { build, config, history, text } = fixture

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
    fixture.executor.behave = (config) => ({ status: (seen = config) === undefined ? 1 : 0 })
    const id = await build('FROM base\nENTRYPOINT ["e"]\nCMD ["c"]\nHEALTHCHECK CMD h\nRUN echo "$A"')
    assert.deepEqual(seen, { Env: ['PATH=/bin'], Entrypoint: [], Hostname: 'h', Cmd: ['/bin/sh', '-c', 'echo "$A"'], Healthcheck: { Test: ['NONE'] } })
    assert.deepEqual(config(id), { Env: ['PATH=/bin'], Entrypoint: ['e'], Cmd: ['c'], Healthcheck: { Test: ['CMD-SHELL', 'h'] } })
  })

  test('see arguments and environment in the order of the Dockerfile, as with BuildKit', async () => {
    const seen: (readonly string[])[] = []
    fixture.executor.behave = ({ Env }) => ({ status: seen.push((Env ?? []).filter((entry) => !entry.startsWith('PATH=/bin'))) === 0 ? 1 : 0 })
    const id = await build('FROM base AS s\nARG A=1 B=$A\nENV foo=1\nRUN one\nARG foo=2\nRUN two\nENV foo=3\nRUN three\nARG foo\nARG PATH=/x\nRUN four\nFROM s\nRUN five')
    assert.deepEqual(seen, [['foo=1', 'A=1', 'B=1'], ['foo=2', 'A=1', 'B=1'], ['foo=3', 'A=1', 'B=1'], ['PATH=/x', 'foo=3', 'A=1', 'B=1'], ['foo=3', 'A=1', 'B=1']])
    assert.deepEqual(config(id)?.Env, ['PATH=/bin', 'foo=3'])
    seen.length = 0
    await build('FROM base\nENV foo=1\nARG foo\nENV bar=$foo\nRUN x', { buildArgs: { foo: '9', HTTP_PROXY: 'http://h' } })
    assert.deepEqual(seen, [['foo=9', 'bar=9', 'HTTP_PROXY=http://h', 'http_proxy=http://h']])
    seen.length = 0
    await build('ARG N=ba$BUILDOS\nARG M=se O=${N%linux}$M\nFROM $O\nARG N\nRUN x')
    assert.deepEqual(seen, [['N=balinux']])
  })

  test('of RUN may say nothing', async () => {
    await build('FROM base\nRUN\nRUN []')
    assert.deepEqual(fixture.executor.calls.filter((call) => call.startsWith('run')), ['run ["/bin/sh","-c",""]', 'run []'])
  })

  test('that fail end the build with their status', async () => {
    fixture.executor.behave = () => ({ status: 3 })
    await assert.rejects(build('FROM base\nRUN exit 3'), { message: "The command '/bin/sh -c exit 3' returned a non-zero code: 3", exitCode: 3 })
    assert.deepEqual(fixture.executor.calls.filter((call) => call === 'remove' || call === 'keep'), ['keep'])
    await assert.rejects(build('FROM base\nRUN exit 3', {}, { remove: 'always' }), { exitCode: 3 })
    assert.deepEqual(fixture.executor.calls.filter((call) => call === 'remove'), ['remove'])
    assert.match(text(), /Running in <id>\n ---> Removed intermediate container <id>\n$/)
  })

  test('in here-documents run in the shell, or as a script', async () => {
    const seen: unknown[] = []
    fixture.executor.behave = (config, files) => ({ status: seen.push([config.Cmd, files]) > 0 ? 0 : 1 })
    await build('FROM base\nRUN <<-EOF\n\techo $a\n\tEOF\nRUN <<E\n#!/bin/awk\nx\nE\nRUN cat <<A | sort <<B\n1\nA\n2\nB\n')
    assert.deepEqual(seen, [
      [['/bin/sh', '-c', 'echo $a\n'], []],
      [['/bin/sh', '-c', '/dev/pipes/E'], [{ path: '/dev/pipes/E', data: '#!/bin/awk\nx\n', mode: 0o755 }]],
      [['/bin/sh', '-c', 'cat <<A | sort <<B\n1\nA\n2\nB'], []],
    ])
  })

  test('get mounts, which count for the cache, and secrets, which do not', async () => {
    const seen: StepSettings[] = []
    fixture.executor.behave = (_config, _files, _root, settings) => {
      seen.push(settings)
      return { status: 0 }
    }
    const inputs = (text: string): Build['inputs'] => ({ secrets: new Map([['s', Buffer.from(text)]]), agents: new Map([['default', '/agent']]) })
    const file = 'FROM base\nWORKDIR /w\nARG T=/t\nRUN --mount=type=cache,target=c,sharing=locked --mount=type=tmpfs,target=$T,size=1m --mount=type=secret,id=s --mount=type=secret,id=s,env=E --mount=type=secret,id=none --mount=type=ssh true'
    await build(file, {}, { inputs: inputs('one') })
    assert.deepEqual(seen[0]?.mounts, [
      { kind: 'cache', target: '/w/c', id: '/w/c', sharing: 'locked', readOnly: false, mode: 0o755, uid: 0, gid: 0, initial: undefined, begins: '' },
      { kind: 'tmpfs', target: '/t', size: 1 << 20 },
      { kind: 'secret', target: '/run/secrets/s', data: Buffer.from('one'), mode: 0o400, uid: 0, gid: 0 },
      { kind: 'ssh', target: '/run/buildkit/ssh_agent.0', agent: '/agent', mode: 0o600, uid: 0, gid: 0 },
    ])
    assert.deepEqual(seen[0]?.secretEnvironment, ['E=one'])
    assert.doesNotMatch(JSON.stringify([fixture.executor.keys, [...fixture.executor.images.values()], fixture.lines]), /one"|E=one/)
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
    fixture.executor.behave = (_config, _files, _root, settings) => {
      seen = settings
      return { status: 0 }
    }
    await build('FROM base\nRUN --security=insecure --network=none true', {}, { entitlements: new Set(['security.insecure']) })
    assert.deepEqual([seen?.insecure, seen?.network], [true, 'none'])
  })
})

describe('build arguments', () => {
  test('count from their ARG on, in their stage, and give way to ENV that comes later', async () => {
    const id = await build('ARG G=g\nARG H=${G}h\nFROM base\nENV before=$A\nARG A=1\nENV after=$A\nARG H\nARG G=mine\nLABEL v=$H$G\nENV A=env\nARG A=2\nLABEL a=$A', { buildArgs: { A: 'given' } })
    assert.deepEqual(config(id)?.Env, ['PATH=/bin', 'before=', 'after=given', 'A=env'])
    assert.deepEqual(config(id)?.Labels, { v: 'ghmine', a: 'given' })
    const other = await build('FROM base AS one\nARG A=1\nFROM base\nLABEL a=x$A')
    assert.deepEqual(config(other)?.Labels, { a: 'x' })
  })

  test('go to RUN and its history', async () => {
    let environment: unknown
    fixture.executor.behave = (config) => ({ status: (environment = config.Env) === undefined ? 1 : 0 })
    const id = await build('FROM base\nARG B=2\nARG A\nARG UNSET\nRUN true', { buildArgs: { A: '1' } })
    assert.deepEqual(environment, ['PATH=/bin', 'B=2', 'A=1'])
    assert.equal(history(id).at(-1), '|2 A=1 B=2 /bin/sh -c true')
    assert.deepEqual(config(id)?.Env, ['PATH=/bin'])
  })

  test('for proxies need no ARG and do not change the key', async () => {
    let environment: unknown
    fixture.executor.behave = (config) => ({ status: (environment = config.Env) === undefined ? 1 : 0 })
    const first = await build('FROM base\nRUN true', { buildArgs: { http_proxy: 'a' } })
    assert.deepEqual(environment, ['PATH=/bin', 'HTTP_PROXY=a', 'http_proxy=a'])
    assert.equal(history(first).at(-1), '|0 /bin/sh -c true')
    assert.equal(await build('FROM base\nRUN true', { buildArgs: { http_proxy: 'b' } }), first)
    assert.notEqual(await build('FROM base\nARG http_proxy\nRUN true', { buildArgs: { http_proxy: 'b' } }), first)
  })

  test('of the builder itself are missed by nobody', async () => {
    await build('FROM base\nRUN true', { buildArgs: { BUILDKIT_INLINE_CACHE: '0', SOURCE_DATE_EPOCH: '0', OTHER: 'x' } })
    assert.match(text(), /build-args \[OTHER\] were not consumed/)
    assert.deepEqual(builderArgs({}), { keepGitDir: false, hostname: undefined, cacheNamespace: '' })
    assert.deepEqual(builderArgs({ BUILDKIT_CONTEXT_KEEP_GIT_DIR: 'true', BUILDKIT_SANDBOX_HOSTNAME: 'me', BUILDKIT_CACHE_MOUNT_NS: 'ns' }), { keepGitDir: true, hostname: 'me', cacheNamespace: 'ns' })
    let seen: readonly [hostname: unknown, mounts: StepSettings['mounts']] | undefined
    fixture.executor.behave = ({ Hostname }, _files, _root, { mounts }) => {
      seen = [Hostname, mounts]
      return { status: 0 }
    }
    const file = 'FROM base\nRUN --mount=type=cache,target=/c,id=x true'
    const first = await build(file)
    const other = await build(file, {}, { hostname: 'me', hostnameCounts: true, cacheNamespace: 'ns' })
    assert.notEqual(other, first)
    assert.deepEqual([seen?.[0], seen?.[1].map((mount) => mount.kind === 'cache' && mount.id)], ['me', ['ns/x']])
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
