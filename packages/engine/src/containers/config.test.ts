import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cleanPath, commandLine, mergeConfig } from './config.ts'
import { isSignal, signalNumber } from './signals.ts'

const id = 'ae607b3f0bee7727b5cd2deaaf9d81c1bd1158d64b2d6946a1571bdd1c8d80e7'

test('nothing given: the image decides, and fields are null where Docker has null', () => {
  assert.deepEqual(mergeConfig({ Image: 'bb' }, { Cmd: ['/bin/sh'], Env: ['PATH=/bin', 'A=b'] }, id), {
    Hostname: 'ae607b3f0bee', Domainname: '', User: '', AttachStdin: false, AttachStdout: false, AttachStderr: false, Tty: false,
    OpenStdin: false, StdinOnce: false, Env: ['PATH=/bin', 'A=b'], Cmd: ['/bin/sh'], Image: 'bb', Volumes: null, WorkingDir: '',
    Entrypoint: null, OnBuild: null, Labels: {},
  })
})

test('the command line: entry point and command of client and image', () => {
  const of = (given: object, image: object) => {
    const { path, args } = commandLine(mergeConfig(given, image, id))
    return [path, ...args]
  }
  const image = { Entrypoint: ['/e', '1'], Cmd: ['c'] }
  assert.deepEqual(of({}, image), ['/e', '1', 'c'])
  assert.deepEqual(of({ Cmd: ['x'] }, image), ['/e', '1', 'x'])
  assert.deepEqual(of({ Entrypoint: ['y'] }, image), ['y'])
  assert.deepEqual(of({ Entrypoint: ['y'], Cmd: ['z'] }, image), ['y', 'z'])
  assert.deepEqual(of({ Entrypoint: [''], Cmd: ['z'] }, image), ['z'])
  assert.deepEqual(of({ Entrypoint: [], Cmd: [] }, image), ['c'])
  assert.throws(() => of({}, {}), { message: 'no command specified' })
  assert.throws(() => of({ Entrypoint: [''] }, image), { message: 'no command specified' })
})

test('environment, labels, ports and volumes are merged, the client first', () => {
  const config = mergeConfig(
    { Env: ['X=1', 'A=mine', 'GONE'], Labels: { l: 'mine' }, ExposedPorts: { '1/tcp': {} }, Volumes: { '/a': {} }, Cmd: ['c'] },
    { Env: ['PATH=/bin', 'A=b', 'GONE=x'], Labels: { l: 'image', m: '2' }, ExposedPorts: { '2/udp': {} }, Volumes: { '/b': {} }, User: 'u', StopSignal: 'SIGINT' },
    id,
  )
  assert.deepEqual(config.Env, ['X=1', 'A=mine', 'GONE', 'PATH=/bin'])
  assert.deepEqual(config.Labels, { l: 'mine', m: '2' })
  assert.deepEqual(Object.keys(config.ExposedPorts ?? {}).sort(), ['1/tcp', '2/udp'])
  assert.deepEqual(Object.keys(config.Volumes ?? {}).sort(), ['/a', '/b'])
  assert.equal(config.User, 'u')
  assert.equal(config.StopSignal, 'SIGINT')
})

test('a health check is completed from the image', () => {
  const config = mergeConfig({ Cmd: ['c'], Healthcheck: { Interval: 5 } }, { Healthcheck: { Test: ['CMD', 'x'], Interval: 9, Retries: 2 } }, id)
  assert.deepEqual({ ...config.Healthcheck }, { Test: ['CMD', 'x'], Interval: 5, Timeout: undefined, StartPeriod: undefined, StartInterval: undefined, Retries: 2 })
})

test('what Docker refuses', () => {
  assert.throws(() => mergeConfig({ Cmd: ['c'], WorkingDir: 'rel' }, {}, id), { code: 'invalid-argument', message: "the working directory 'rel' is invalid, it needs to be an absolute path" })
  assert.throws(() => mergeConfig({ Cmd: ['c'], StopSignal: 'FOO' }, {}, id), { code: 'invalid-argument', message: 'invalid signal: FOO' })
  assert.throws(() => mergeConfig({ Cmd: ['c'], Env: ['=x'] }, {}, id), { code: 'invalid-argument', message: 'invalid environment variable: =x' })
})

test('paths are cleaned by text', () => {
  for (const [path, clean] of [['/a/../b//c/.', '/b/c'], ['/', '/'], ['/../..', '/'], ['/a/', '/a']] as const) assert.equal(cleanPath(path), clean)
})

test('signals by name and number', () => {
  for (const [signal, number] of [['TERM', 15], ['SIGKILL', 9], ['sigusr1', 10], ['9', 9], ['RTMIN+3', 37], ['SIGRTMAX-1', 63]] as const) assert.equal(signalNumber(signal), number)
  for (const signal of ['', 'FOO', '0', 'SIG']) assert.throws(() => signalNumber(signal), { message: `invalid signal: ${signal}` })
  assert.equal(isSignal(signalNumber('-1')), false)
  assert.equal(isSignal(64), true)
  assert.equal(isSignal(65), false)
})
