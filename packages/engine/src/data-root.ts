import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { tryLock } from '@engine/linux/file-lock'
import type { EngineOptions } from './interface.ts'
import { EnginePaths } from './paths.ts'

/** An engine's directories, made and locked. */
export interface DataRoot extends Disposable {
  readonly paths: EnginePaths
  /** This boot's id: pids and start times of another one mean nothing. */
  readonly bootId: string
}

/**
 * Makes the directories and locks the data root, which is one engine's at a time.
 * @throws EngineError unavailable when another engine has it
 */
export function openDataRoot(options: Pick<EngineOptions, 'dataRoot' | 'execRoot'>): DataRoot {
  const paths = new EnginePaths(options)
  // 0710: setuid files of images must be out of everybody's reach (CVE-2021-41091).
  mkdirSync(paths.dataRoot, { recursive: true, mode: 0o710 })
  mkdirSync(paths.execRoot, { recursive: true, mode: 0o700 })
  const lock = openSync(paths.lock, 'a', 0o600)
  if (!tryLock(lock)) {
    closeSync(lock)
    throw new EngineError('unavailable', `the data root ${paths.dataRoot} is in use by another engined`, { hint: 'stop it, or choose another --data-root' })
  }
  for (const directory of [paths.containers, paths.volumes, paths.content, paths.runContainers, paths.sandboxes]) mkdirSync(directory, { recursive: true, mode: 0o710 })
  return { paths, bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(), [Symbol.dispose]: () => closeSync(lock) }
}
