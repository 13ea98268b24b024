import { EngineError, Errno, failedWith } from '@engine/linux'
import type { OciResources } from '../spec.ts'
import { readControl, writeControl, writeControlIfThere } from './control-file.ts'
import type { Place } from './hierarchy.ts'

type Memory = NonNullable<OciResources['memory']>

const noLimit = 'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.'
const noSwap = 'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.'
const noReservation = 'Your kernel does not support memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.'
const noSwappiness = 'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.'
const noOomControl = 'Your kernel does not support OomKillDisable. OomKillDisable discarded.'

/** Sets limits of memory and swap. 0 leaves a limit as it is, -1 takes it away. */
export function applyMemory(place: Place | undefined, memory: Memory | undefined, warnings: string[]): void {
  if (memory === undefined) return
  const limit = memory.limit ?? 0
  const swap = memory.swap ?? 0
  if (limit !== 0 || swap !== 0) {
    if (place === undefined) warnings.push(noLimit)
    else if (place.version === 1) applyV1(place.directory, limit, swap, warnings)
    else applyV2(place.directory, limit, swap, warnings)
  }
  if (memory.reservation !== undefined && memory.reservation !== 0) {
    const file = place?.version === 1 ? 'memory.soft_limit_in_bytes' : 'memory.low'
    const value = place?.version === 2 && memory.reservation < 0 ? 'max' : String(memory.reservation)
    if (place === undefined || !writeControlIfThere(`${place.directory}/${file}`, value)) warnings.push(noReservation)
  }
  // v2 has no counterpart for these two.
  if (memory.swappiness !== undefined && memory.swappiness >= 0) {
    if (place?.version !== 1 || !writeControlIfThere(`${place.directory}/memory.swappiness`, String(memory.swappiness))) warnings.push(noSwappiness)
  }
  if (memory.disableOOMKiller === true) {
    if (place?.version !== 1 || !writeControlIfThere(`${place.directory}/memory.oom_control`, '1')) warnings.push(noOomControl)
  }
}

/**
 * v1: `memsw` counts memory and swap together and must never be below the memory limit, so that which of the two is written first depends on the direction.
 * @param swap memory and swap together
 */
function applyV1(directory: string, limit: number, swap: number, warnings: string[]): void {
  const swapFile = `${directory}/memory.memsw.limit_in_bytes`
  // Without swap accounting (`swapaccount=0`) the file is not there.
  const current = readControl(swapFile)
  // A limit that is taken away takes that of swap with it, else the old sum would go on to limit.
  const sum = limit === -1 && swap === 0 ? -1 : swap
  if (current === undefined) {
    if (limit !== 0) writeLimit(directory, limit)
    if (swap > 0) warnings.push(noSwap)
    return
  }
  const raising = sum === -1 || sum > Number(current)
  if (sum !== 0 && raising) writeControl(swapFile, String(sum))
  if (limit !== 0) writeLimit(directory, limit)
  if (sum !== 0 && !raising) writeControl(swapFile, String(sum))
}

/** @throws EngineError conflict, in runc's words, when more is used and cannot be freed */
function writeLimit(directory: string, limit: number): void {
  try {
    writeControl(`${directory}/memory.limit_in_bytes`, String(limit))
  } catch (error) {
    if (!failedWith(error, Errno.EBUSY)) throw error
    const usage = readControl(`${directory}/memory.usage_in_bytes`)
    const peak = readControl(`${directory}/memory.max_usage_in_bytes`)
    throw new EngineError('conflict', `unable to set memory limit to ${limit} (current usage: ${usage}, peak usage: ${peak})`, { cause: error })
  }
}

/** v2: swap is limited by itself, so that Docker's sum has the memory limit taken off. */
function applyV2(directory: string, limit: number, swap: number, warnings: string[]): void {
  const memory = limit !== 0 ? limit : currentLimit(directory)
  if (swap !== 0 || limit === -1) {
    const value = swap === -1 || (limit === -1 && swap === 0) ? 'max' : String(swapOfSum(swap, memory))
    if (!writeControlIfThere(`${directory}/memory.swap.max`, value) && swap > 0) warnings.push(noSwap)
  }
  if (limit !== 0 && !writeControlIfThere(`${directory}/memory.max`, limit === -1 ? 'max' : String(limit))) warnings.push(noLimit)
}

function currentLimit(directory: string): number {
  const value = readControl(`${directory}/memory.max`)
  return value === undefined || value === 'max' ? -1 : Number(value)
}

function swapOfSum(sum: number, memory: number): number {
  if (memory === -1) throw new EngineError('invalid-argument', 'unable to set swap limit without memory limit')
  if (sum < memory) throw new EngineError('invalid-argument', 'memory+swap limit should be >= memory limit')
  return sum - memory
}
