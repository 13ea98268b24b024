import assert from 'node:assert/strict'
import { test } from 'node:test'
import { applyChanges } from './changes.ts'
import { parsePorts } from './ports.ts'
import { isSignal } from './signal-names.ts'

test('changes are applied as a Dockerfile would', () => {
  const before = { Env: ['A=1'], Cmd: ['sh'], WorkingDir: '/w' }
  assert.deepEqual(applyChanges(before, ['ENV B=$A', 'WORKDIR x', 'ENTRYPOINT ["e"]', 'EXPOSE 80', 'LABEL a=b', 'user u', 'STOPSIGNAL 9']), {
    Env: ['A=1', 'B=1'], WorkingDir: '/w/x', Entrypoint: ['e'], ExposedPorts: { '80/tcp': {} }, Labels: { a: 'b' }, User: 'u', StopSignal: '9',
  })
  assert.deepEqual(before, { Env: ['A=1'], Cmd: ['sh'], WorkingDir: '/w' })
  assert.equal(applyChanges(before, []), before)
  assert.deepEqual(applyChanges({}, ['CMD a b']), { Cmd: ['/bin/sh', '-c', 'a b'] })
})

test('changes of other kinds are refused', () => {
  for (const change of ['RUN x', 'COPY a b', 'FROM x', 'SHELL ["a"]', 'ARG a', 'FOO x']) {
    assert.throws(() => applyChanges({}, [change]), { message: `${change.split(' ')[0]} is not a valid change command`, code: 'invalid-argument' })
  }
  assert.throws(() => applyChanges({}, ['ENV x']), { message: 'ENV must have two arguments' })
})

test('ports are those of the container', () => {
  assert.deepEqual(parsePorts(['80', '443/UDP', '1-3/sctp', '127.0.0.1:8080:80', '8080:81', '[::1]:1:2', '7/']), ['80/tcp', '443/udp', '1/sctp', '2/sctp', '3/sctp', '80/tcp', '81/tcp', '2/tcp', '7/tcp'])
  for (const port of ['', ':', 'a', '1-2-3', '-1', '70000', '1/x']) assert.throws(() => parsePorts([port]), { code: 'invalid-argument' }, port)
})

test('signals are told by name and number', () => {
  for (const signal of ['KILL', 'SIGKILL', 'sigterm', '9', '99', 'RTMIN', 'SIGRTMIN+3', 'RTMAX-30', 'rtmax']) assert.ok(isSignal(signal), signal)
  for (const signal of ['', '0', 'FOO', 'RTMIN-1', 'RTMAX+1', 'RTMIN+31', 'SIG', 'a b']) assert.ok(!isSignal(signal), signal)
})
