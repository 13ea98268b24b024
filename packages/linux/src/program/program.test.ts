import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Errno } from '../errno.ts'
import { reapEnding, type ProcessEnd } from '../wait.ts'
import { Label, Program, ProgramFull } from './index.ts'

const O_WRONLY_CREAT = 0o101
const AT_FDCWD = -100

/** Runs a program to its end. */
function run(program: Program): ProcessEnd {
  const { pidfd } = program.fork({ flags: 0 })
  try {
    return reapEnding(pidfd)
  } finally {
    closeSync(pidfd)
  }
}

describe('a program', () => {
  test('passes a result on to two calls, and to no third', () => {
    const directory = mkdtempSync(join(tmpdir(), 'program-'))
    try {
      const program = new Program()
      const path = join(directory, 'file')
      const fd = program.call('openat', [AT_FDCWD, program.string(path), O_WRONLY_CREAT, 0o600], { args: { path } })
      program.call('write', [fd, program.string('written'), 7], { args: {} })
      program.call('close', [fd], { args: {} })
      assert.throws(() => program.call('close', [fd], { args: {} }), /more than twice/)
      program.call('exit_group', [7], { args: {} })
      assert.deepEqual(run(program), { code: 7 })
      assert.equal(readFileSync(path, 'utf8'), 'written')
      assert.equal(program.failure(), undefined)
      assert.deepEqual(program.records().map(({ call, result }) => [call, result >= 0]), [['openat', true], ['write', true], ['close', true], ['exit_group', true]])
      program.free()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  test('ends at the first failure, and says which', () => {
    const program = new Program()
    program.call('chdir', [program.string('/nowhere')], { args: { path: '/nowhere' }, allow: [Errno.ENOENT] })
    program.call('chdir', [program.string('/etc/hostname')], { args: { path: '/etc/hostname' }, failure: 'going' })
    program.call('exit_group', [7], { args: {} })
    assert.deepEqual(run(program), { code: 1 })
    assert.deepEqual(program.failure(), { errno: Errno.ENOTDIR, step: 'chdir', message: 'going: not a directory' })
    program.free()
  })

  test('makes a call again after the error it is told', () => {
    const program = new Program()
    // A futex word that nobody changes is ETIMEDOUT each time; EAGAIN comes from the other value.
    const word = program.words(0)
    const futex = program.call('futex', [word, 128, 0, program.words(0, 1_000_000), 0, 0], { args: {}, again: 110 })
    const { pidfd } = program.fork({ flags: 0 })
    const before = Date.now()
    while (program.errno(futex) !== 110) assert.ok(Date.now() - before < 5000)
    for (let seen = 0; seen < 3; ) if (program.errno(futex) === 110) seen++
    process.kill(pidOf(pidfd), 'SIGKILL')
    assert.deepEqual(reapEnding(pidfd), { signal: 9 })
    assert.equal(program.failure(), undefined)
    closeSync(pidfd)
    program.free()
  })

  test('jumps over what it need not do', () => {
    const program = new Program()
    const skip = new Label()
    program.call('chdir', [program.string('/nowhere')], { args: {}, allow: [Errno.ENOENT], onAllowed: skip })
    program.call('exit_group', [1], { args: {} })
    program.place(skip)
    program.call('exit_group', [9], { args: {} })
    assert.deepEqual(run(program), { code: 9 })
    program.free()
  })

  test('goes on without its parent\'s memory', () => {
    const program = new Program()
    program.forgetParent()
    const maps = program.call('openat', [AT_FDCWD, program.string('/proc/self/oom_score_adj'), 1, 0], { args: {} })
    program.call('close', [maps], { args: {} })
    // Long enough to be looked at, and to be moved between processors.
    program.call('futex', [program.words(0), 128, 0, program.words(0, 300_000_000), 0, 0], { args: {}, allow: [110] })
    program.call('exit_group', [5], { args: {} })
    const { pid, pidfd } = program.fork({ flags: 0 })
    const before = Date.now()
    let ranges = readFileSync(`/proc/${pid}/maps`, 'utf8')
    while (ranges.trim().split('\n').length > 5 && Date.now() - before < 200) ranges = readFileSync(`/proc/${pid}/maps`, 'utf8')
    const files = ranges.trim().split('\n').map((line) => line.split(/\s+/)[5] ?? '')
    assert.ok(files.length <= 4, ranges)
    assert.ok(files.every((file) => !/node|libc|stack|heap/.test(file)), ranges)
    assert.deepEqual(reapEnding(pidfd), { code: 5 })
    closeSync(pidfd)
    program.free()
  })

  test('has its memory for itself: another child cannot reach it', () => {
    const mine = new Program()
    const other = new Program()
    const secret = mine.words(42)
    // FUTEX_WAIT looks at the word: EFAULT when it is not mapped.
    const look = other.call('futex', [secret, 128, 0, other.words(0, 0), 0, 0], { args: {}, allow: [Errno.EAGAIN, 110, 14] })
    other.call('exit_group', [0], { args: {} })
    assert.deepEqual(run(other), { code: 0 })
    assert.equal(other.errno(look), 14)
    other.free()
    mine.free()
  })

  test('keeps one page from a child\'s child', () => {
    const program = new Program()
    const apart = program.apart()
    const parent = new Label()
    program.keepApart()
    const SIGCHLD = 17
    program.call('clone', [SIGCHLD, 0, 0, 0, 0], { args: {}, onPositive: parent })
    const look = program.call('futex', [apart, 128, 1, program.words(0, 0), 0, 0], { args: {}, allow: [Errno.EAGAIN, 14] })
    program.call('exit_group', [0], { args: {} })
    program.place(parent)
    program.call('wait4', [-1, 0, 0, 0], { args: {} })
    const own = program.call('futex', [apart, 128, 1, program.words(0, 0), 0, 0], { args: {}, allow: [Errno.EAGAIN, 14] })
    program.call('exit_group', [3], { args: {} })
    assert.deepEqual(run(program), { code: 3 })
    assert.equal(program.errno(look), 14)
    assert.equal(program.errno(own), Errno.EAGAIN)
    program.free()
  })

  test('says when it is full, and a large one holds more', () => {
    const program = new Program()
    assert.throws(() => program.bytes(Buffer.alloc(600 * 1024)), (error) => error instanceof ProgramFull && error.message === 'argument list too long')
    assert.throws(() => {
      for (;;) program.call('umask', [0], { args: {} })
    }, ProgramFull)
    program.free()
    const large = new Program('large')
    large.bytes(Buffer.alloc(8 * 1024 * 1024))
    for (let i = 0; i < 20_000; i++) large.call('umask', [0], { args: {} })
    large.call('exit_group', [4], { args: {} })
    assert.deepEqual(run(large), { code: 4 })
    large.free()
  })

  test('is clean when its memory is used again', () => {
    const first = new Program()
    const address = first.string('secret')
    first.free()
    const second = new Program()
    assert.equal(second.read(address - (address % 8)), 0n)
    second.free()
  })

  test('refuses what an instruction cannot hold', () => {
    const program = new Program()
    assert.throws(() => program.call('futex', [0, 0, 0, 0, 0, 0, 0], { args: {} }), { code: 'internal' })
    assert.throws(() => program.call('umask', [0], { args: {}, allow: [1, 2, 3, 4, 5] }), { code: 'internal' })
    assert.throws(() => program.string('a\0b'), { code: 'invalid-argument' })
    program.free()
  })
})

function pidOf(pidfd: number): number {
  return Number(/^Pid:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${pidfd}`, 'utf8'))?.[1])
}
