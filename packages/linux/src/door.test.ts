import assert from 'node:assert/strict'
import { closeSync, fstatSync } from 'node:fs'
import { describe, test } from 'node:test'
import { asynchronousDoor, door } from './door.ts'
import { libc } from './libc.ts'
import { memfdCreate } from './memfd.ts'
import { failedWith } from './syscall-error.ts'
import { traced, tracer, setTracer, type SyscallRecord } from './tracer.ts'

const rmdir = libc.func('int rmdir(const char *)')

describe('the door', () => {
  test('throws what failed, with errno and arguments', () => {
    assert.throws(() => door('rmdir', () => ({ path: '/nowhere' }), () => rmdir('/nowhere') as number), {
      name: 'SyscallError', errno: 2, errnoName: 'ENOENT', message: 'rmdir(path="/nowhere"): no such file or directory',
    })
  })

  test('reports success and failure', () => {
    const records: SyscallRecord[] = []
    traced((record) => records.push(record), () => {
      closeSync(memfdCreate('x', true))
      assert.throws(() => door('rmdir', () => ({}), () => rmdir('/proc') as number))
    })
    assert.deepEqual(records.map(({ call, result, errno }) => [call, result >= 0, errno]), [['memfd_create', true, undefined], ['rmdir', false, 'EBUSY']])
  })

  test('gives the result also when the tracer fails', (t) => {
    const warn = t.mock.method(process, 'emitWarning', () => undefined)
    const fail = (): never => {
      throw new Error('full')
    }
    const fd = traced(fail, () => memfdCreate('x', true))
    assert.ok(fstatSync(fd).isFile())
    closeSync(fd)
    assert.equal(warn.mock.callCount(), 1)
    assert.match(String(warn.mock.calls[0]?.arguments[0]), /memfd_create: full/)
  })

  test('setTracer gives back the very tracer that was set before', () => {
    const mine = (): void => undefined
    const before = setTracer(mine)
    assert.equal(setTracer(before), mine)
    assert.equal(tracer() === undefined, before === undefined)
  })

  test('knows the errno of another thread, each call its own', async () => {
    const paths = [['/nowhere', 2], ['/proc', 16], ['/etc/hostname', 20], ['/nowhere/x', 2]] as const
    const errnos = await Promise.all(paths.map(([path]) =>
      asynchronousDoor('rmdir', () => ({ path }), (done) => rmdir.async(path, done)).then(() => 0, (error: unknown) => (failedWith(error, 2, 16, 20) ? error.errno : -1)),
    ))
    assert.deepEqual(errnos, paths.map(([, errno]) => errno))
  })
})
