import { EngineError, Errno, failedWith } from '@engine/linux'
import type { OciResources } from '../spec.ts'
import { writeControl } from './control-file.ts'
import { cgroupLayout } from './hierarchy.ts'

/**
 * Writes v2 files by name, as they are (`memory.high`, `cpu.idle` …).
 * @throws EngineError invalid-argument without a v2 hierarchy, for a name that is no plain file, and for a file that the kernel has not
 */
export function applyUnified(path: string, unified: OciResources['unified']): void {
  for (const [file, value] of Object.entries(unified ?? {})) {
    const hierarchy = cgroupLayout().hierarchies.find(({ version }) => version === 2)
    if (hierarchy === undefined) throw new EngineError('invalid-argument', `unified resource ${JSON.stringify(file)} needs cgroup v2`)
    if (!/^[a-z0-9_-]+(\.[a-zA-Z0-9_-]+)+$/.test(file)) throw new EngineError('invalid-argument', `unified resource ${JSON.stringify(file)} must be a file name (no slashes)`)
    try {
      for (const line of value.split('\n').filter((text) => text !== '')) writeControl(`${hierarchy.mountpoint}${path}/${file}`, line)
    } catch (error) {
      if (!failedWith(error, Errno.ENOENT)) throw error
      throw new EngineError('invalid-argument', `unified resource ${JSON.stringify(file)} can't be set: controller ${JSON.stringify(file.split('.')[0])} not available`, { cause: error })
    }
  }
}
