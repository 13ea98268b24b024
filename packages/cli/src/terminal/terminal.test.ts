import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DetachWatch, readDetachKeys } from './detach-keys.ts'
import { demultiplex } from './session.ts'

describe('detach keys', () => {
  it('are read as docker reads them', () => {
    assert.deepEqual(readDetachKeys(''), [16, 17])
    assert.deepEqual(readDetachKeys('ctrl-a,x,ctrl-@,ctrl-[,ctrl-\\'), [1, 120, 0, 27, 28])
    assert.throws(() => readDetachKeys('ctrl-1'), { message: "Unknown character: 'ctrl-1'" })
  })

  const type = (keys: number[], ...inputs: string[]): { passed: string; detached: boolean } => {
    const watch = new DetachWatch(keys)
    let passed = ''
    for (const input of inputs) {
      const { pass, detached } = watch.push(Buffer.from(input))
      passed += pass.toString()
      if (detached) return { passed, detached }
    }
    return { passed, detached: false }
  }

  it('end the session, in one piece or several', () => {
    assert.deepEqual(type([16, 17], 'ab\u0010\u0011c'), { passed: 'ab', detached: true })
    assert.deepEqual(type([16, 17], 'ab\u0010', '\u0011'), { passed: 'ab', detached: true })
  })

  it('are passed on when they turn out to be something else', () => {
    assert.deepEqual(type([16, 17], 'a\u0010', 'b'), { passed: 'a\u0010b', detached: false })
    assert.deepEqual(type([16, 17], '\u0010\u0010\u0011'), { passed: '\u0010', detached: true })
    assert.deepEqual(type([16, 17], '\u0010'), { passed: '', detached: false })
  })
})

describe('frames', () => {
  it('go to their streams, neighbours in one write', () => {
    const frame = (stream: number, text: string): Buffer => {
      const header = Buffer.alloc(8)
      header[0] = stream
      header.writeUInt32BE(text.length, 4)
      return Buffer.concat([header, Buffer.from(text)])
    }
    const writes: string[] = []
    const write = demultiplex((data) => writes.push(`o:${data.toString()}`), (data) => writes.push(`e:${data.toString()}`))
    const bytes = Buffer.concat([frame(1, 'a'), frame(1, 'b'), frame(2, 'c'), frame(1, 'd')])
    write(bytes.subarray(0, 11))
    write(bytes.subarray(11))
    assert.deepEqual(writes, ['o:a', 'o:b', 'e:c', 'o:d'])
  })
})
