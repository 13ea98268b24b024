import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerStatus } from '../types/container-views.ts'
import { createdState, hasProcess, isRunning, transition } from './state.ts'

const through = (...statuses: ContainerStatus[]): void => {
  const state = createdState()
  for (const status of statuses) transition('c', state, status)
}

test('the lives a container can have', () => {
  through('running', 'exited', 'running', 'paused', 'running', 'exited', 'removing')
  through('created', 'created', 'running', 'restarting', 'running', 'restarting', 'exited', 'removing', 'dead', 'removing')
  through('running', 'paused', 'exited', 'removing')
  through('removing')
})

test('every other step says from where to where', () => {
  for (const [from, to] of [['created', 'paused'], ['created', 'exited'], ['running', 'running'], ['running', 'removing'], ['exited', 'paused'], ['removing', 'running'], ['dead', 'running']] as const) {
    const state = { ...createdState(), status: from }
    assert.throws(() => transition('c1', state, to), { message: `container c1 cannot go from ${from} to ${to}` })
    assert.equal(state.status, from)
  }
})

test('a restarting container counts as running and has no process', () => {
  const state = { ...createdState(), status: 'restarting' as const }
  assert.equal(isRunning(state), true)
  assert.equal(hasProcess(state), false)
})
