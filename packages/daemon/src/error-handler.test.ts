import assert from 'node:assert/strict'
import { it } from 'node:test'
import { EngineError } from '@engine/linux'
import { errorAnswer } from './error-handler.ts'

it('tells what went wrong first, also when the cleaning up failed as well', () => {
  const fail = (): void => {
    using undo = new DisposableStack()
    undo.defer(() => {
      throw new Error('cleaning up')
    })
    throw new EngineError('conflict', 'the reason')
  }
  assert.throws(fail, (error) => {
    assert.deepEqual(errorAnswer(error), { status: 409, message: 'the reason', unexpected: true })
    return true
  })
})
