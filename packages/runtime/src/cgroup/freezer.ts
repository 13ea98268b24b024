import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '@engine/linux'
import { parseFlat, readControl, writeControl } from './control-file.ts'
import { cgroupLayout, type Place } from './hierarchy.ts'

/** How long a cgroup may take to freeze: processes in the middle of disk or FUSE requests finish them first. */
const patience = 10_000

/**
 * Stops every process of a cgroup where it is (`docker pause`), and waits until the kernel says that all stand still.
 * @throws EngineError unavailable when the kernel has no freezer, or they do not stand still in 10 s (they then run again)
 * @throws SyscallError ENOENT when the cgroup is gone
 */
export async function freeze(path: string): Promise<void> {
  const place = freezerOf(path)
  const deadline = performance.now() + patience
  request(place, true)
  for (let wait = 0; !isFrozenAt(place); wait = Math.min(wait + 1, 50)) {
    if (performance.now() > deadline) {
      request(place, false)
      throw new EngineError('unavailable', `cgroup ${path} did not freeze in ${patience / 1000} s`)
    }
    await sleep(wait)
    // v1: processes that were forked meanwhile are only met by asking again.
    if (place.version === 1 && !isFrozenAt(place)) request(place, true)
  }
}

/** Lets a cgroup's processes go on. @throws SyscallError ENOENT when the cgroup is gone */
export function thaw(path: string): void {
  request(freezerOf(path), false)
}

/** Whether every process of a cgroup stands still. */
export function isFrozen(path: string): boolean {
  return isFrozenAt(freezerOf(path))
}

function freezerOf(path: string): Place {
  const place = cgroupLayout().place('freezer', path)
  if (place === undefined) throw new EngineError('unavailable', 'this kernel has no cgroup freezer')
  return place
}

export function request({ version, directory }: Place, frozen: boolean): void {
  if (version === 1) writeControl(`${directory}/freezer.state`, frozen ? 'FROZEN' : 'THAWED')
  else writeControl(`${directory}/cgroup.freeze`, frozen ? '1' : '0')
}

function isFrozenAt({ version, directory }: Place): boolean {
  if (version === 1) return readControl(`${directory}/freezer.state`) === 'FROZEN'
  return parseFlat(readControl(`${directory}/cgroup.events`)).get('frozen') === 1
}
