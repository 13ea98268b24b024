import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { tracer, type SyscallRecord } from '@engine/linux'
import { causedBy, causedByEngine, withContainer } from './cause.ts'
import { Ledger } from './ledger.ts'
import { redact } from './redact.ts'

const errors: unknown[] = []
const ledger = new Ledger(':memory:', (error) => errors.push(error))
after(() => {
  ledger.close()
  assert.equal(tracer(), undefined)
  assert.deepEqual(errors, [])
})
const id = (letter: string) => letter.repeat(64)
const call = (name: string, args: SyscallRecord['args'] = {}): void => tracer()?.({ call: name, args, result: 0, nanoseconds: 7 })
const cause = { request: 'POST /containers/x/start', id: 'req-1' }

test('an action stands in its container’s ledger, with its cause, across awaits', async () => {
  await causedBy(cause, () =>
    withContainer(id('a'), async () => {
      call('mount', { target: '/x' })
      await sleep(1)
      call('umount2')
    }),
  )
  causedByEngine('exit', () => withContainer(id('b'), () => call('rmdir')))
  call('open')
  const entries = ledger.entries(id('a'))
  assert.deepEqual(entries.map(({ Call, Args, Cause, CauseID, Process, ContainerID }) => [Call, Args, Cause, CauseID, Process, ContainerID]), [
    ['mount', { target: '/x' }, cause.request, 'req-1', 'engined', id('a')],
    ['umount2', {}, cause.request, 'req-1', 'engined', id('a')],
  ])
  assert.deepEqual(entries.map((entry) => entry.Sequence), [entries[0]?.Sequence, (entries[0]?.Sequence ?? 0) + 1])
  assert.equal(ledger.entries(id('b'))[0]?.Cause, 'exit')
})

test('records of shim and init are put where the clock says', () => {
  withContainer(id('c'), () => {
    call('first')
    const early = '5'
    ledger.add(id('c'), [{ call: 'execve', args: {}, result: 0, nanoseconds: 1, at: early, process: 'init', errno: 'ENOENT' }])
  })
  assert.deepEqual(ledger.entries(id('c')).map(({ Call, Process, Errno }) => [Call, Process, Errno]), [['execve', 'init', 'ENOENT'], ['first', 'engined', undefined]])
})

test('an exec’s actions name it', () => {
  withContainer(id('d'), () => call('setns'), id('e'))
  assert.equal(ledger.entries(id('d'))[0]?.ExecID, id('e'))
})

test('a container has at most its share, the newest', () => {
  for (let batch = 0; batch < 12; batch++) {
    withContainer(id('f'), () => {
      for (let i = 0; i < 1000; i++) call(`call ${batch} ${i}`)
    })
    ledger.flush()
  }
  const entries = ledger.entries(id('f'))
  assert.equal(entries.length, 10_000)
  assert.equal(entries.at(-1)?.Call, 'call 11 999')
  assert.equal(entries[0]?.Call, 'call 2 0')
})

test('one runaway batch is cut, and says so', () => {
  withContainer(id('1'), () => {
    for (let i = 0; i < 6000; i++) call('stat')
  })
  const last = ledger.entries(id('1')).at(-1)
  assert.deepEqual([last?.Call, last?.Args], ['further actions', { count: 1000 }])
})

test('containers that are gone are found by name, newest first, and by the beginning of their id', () => {
  ledger.name(id('2'), 'web', 1n)
  ledger.name(id('3'), 'web', 2n)
  ledger.name(`23${'0'.repeat(62)}`, 'db', 3n)
  assert.equal(ledger.find('web'), id('3'))
  assert.equal(ledger.find('/web'), id('3'))
  assert.equal(ledger.find('33'), id('3'))
  assert.equal(ledger.find('2'), undefined)
  assert.equal(ledger.find(id('2')), id('2'))
  assert.equal(ledger.find('nope'), undefined)
})

test('environment values and what is named like a secret are not kept', () => {
  assert.deepEqual(redact({ env: 'A=1 B= C=x=y', path: '/bin/x=1', data: 'addr=1.2.3.4,password=hunter2,ro', source: 'MY_TOKEN=abc', size: 7, flag: true }), {
    env: 'A=*** B=*** C=***', path: '/bin/x=1', data: 'addr=1.2.3.4,password=***,ro', source: 'MY_TOKEN=***', size: 7, flag: true,
  })
  withContainer(id('4'), () => call('mount', { data: 'password=x' }))
  assert.doesNotMatch(JSON.stringify(ledger.entries(id('4'))), /password=x/)
})
