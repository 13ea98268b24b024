import { closeSync, readFileSync, writeSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { closeOnExecFrom, setCloseOnExec } from '@engine/linux/descriptor-flags'
import { execve } from '@engine/linux/execve'
import { memfdCreate } from '@engine/linux/memfd'
import type { ShimState } from './shim.ts'

/** Everything that the next program in this process takes over. */
export interface Handover {
  readonly generation: number
  /** The lock's descriptor. */
  readonly lock: number
  readonly state: ShimState
}

/** Descriptors that must survive execve. */
function kept({ lock, state }: Handover): number[] {
  const fds = [0, 1, 2, lock, ...state.sinks]
  for (const { pidfd, master, fifos } of state.processes) {
    for (const fd of [pidfd, master, fifos?.stdin, fifos?.stdout, fifos?.stderr]) if (fd !== undefined) fds.push(fd)
  }
  return fds
}

/**
 * Becomes another program: same pid, so the same children; same descriptors; the state goes through a memfd.
 * Data in FIFOs stays there meanwhile. Returns only by throwing, and then everything is as before.
 * @param args the new program's arguments after Node's own; the memfd's number is appended
 * @throws SyscallError
 */
export function becomeProgram(program: string, args: readonly string[], handover: Handover): never {
  const memory = memfdCreate('engine-shim-state', false)
  const fds = kept(handover)
  try {
    const text = Buffer.from(JSON.stringify(handover))
    for (let written = 0; written < text.length; ) written += writeSync(memory, text, written, text.length - written, written)
    for (const fd of fds) setCloseOnExec(fd, false)
    const environment = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`)
    return execve(process.execPath, [process.execPath, ...process.execArgv, program, ...args, '--resume', String(memory)], environment)
  } catch (error) {
    closeSync(memory)
    for (const fd of fds) setCloseOnExec(fd, true)
    throw error
  }
}

/** Reads what the program before has left, and makes its descriptors close-on-exec again. */
export function takeOver(memory: number): Handover {
  // By path: the descriptor's position is at the end.
  const handover: unknown = JSON.parse(readFileSync(`/proc/self/fd/${memory}`, 'utf8'))
  closeSync(memory)
  closeOnExecFrom(3)
  if (!isHandover(handover)) throw new EngineError('internal', 'the program before this one left a state that is not understood')
  return handover
}

function isHandover(value: unknown): value is Handover {
  if (typeof value !== 'object' || value === null) return false
  const { generation, lock, state } = value as { readonly [K in keyof Handover]?: unknown }
  if (typeof generation !== 'number' || typeof lock !== 'number' || typeof state !== 'object' || state === null) return false
  const { version, processes, sinks } = state as { readonly [K in keyof ShimState]?: unknown }
  return version === 1 && Array.isArray(processes) && Array.isArray(sinks)
}
