import { EngineError } from '@engine/linux'
import type { ContainerStatus } from '../types/container-views.ts'
import { NEVER } from '../types/container-views.ts'

/** What changes while a container lives; written to the database with every change. */
export interface ContainerState {
  status: ContainerStatus
  /** Host pid; 0 unless it is running or paused. */
  pid: number
  /** Field 22 of /proc/<pid>/stat: with the pid it names one process of this boot. */
  startTime: string
  /** The boot that pid and startTime belong to. */
  bootId: string
  exitCode: number
  /** Why it could not be started. */
  error: string
  oomKilled: boolean
  startedAt: string
  finishedAt: string
  restartCount: number
  /** Stopped by a request: `unless-stopped` leaves it alone from then on. */
  manuallyStopped: boolean
}

export function createdState(): ContainerState {
  return {
    status: 'created', pid: 0, startTime: '', bootId: '', exitCode: 0, error: '', oomKilled: false,
    startedAt: NEVER, finishedAt: NEVER, restartCount: 0, manuallyStopped: false,
  }
}

const allowed: Readonly<Record<ContainerStatus, readonly ContainerStatus[]>> = {
  // A failed start leaves a container as it was.
  created: ['created', 'running', 'removing'],
  running: ['paused', 'exited', 'restarting'],
  paused: ['running', 'exited', 'restarting'],
  restarting: ['running', 'restarting', 'exited'],
  exited: ['exited', 'running', 'removing'],
  // A removal that failed goes back to where a new one can begin.
  removing: ['dead'],
  dead: ['removing'],
}

/** Puts a state into another status. @throws EngineError conflict `… cannot go from X to Y`: a verb that ran out of order */
export function transition(id: string, state: ContainerState, to: ContainerStatus): void {
  if (!allowed[state.status].includes(to)) throw new EngineError('conflict', `container ${id} cannot go from ${state.status} to ${to}`)
  state.status = to
}

/** Whether Docker's `Running` is true: there is a process, or there is about to be one again. */
export function isRunning(state: ContainerState): boolean {
  return state.status === 'running' || state.status === 'paused' || state.status === 'restarting'
}

/** Whether there is a process. */
export function hasProcess(state: ContainerState): boolean {
  return state.status === 'running' || state.status === 'paused'
}
