import type { StepMount } from '@engine/build'
import type { HostConfig } from '../../types/container-config.ts'
import type { BuildEngine } from '../build-engine.ts'
import { MountPoints } from './mount-points.ts'

type Mount = NonNullable<HostConfig['Mounts']>[number]

/** A step's mounts as a container takes them; disposed, caches are others' again and the paths are gone. */
export interface PreparedMounts extends AsyncDisposable {
  readonly mounts: readonly Mount[]
}

/**
 * Prepares what a RUN step mounts.
 * @param directory a new one of the step's own
 * @param signal    ends the wait for caches that others have
 */
export async function prepareStepMounts({ cacheMounts, remap }: BuildEngine, directory: string, mounts: readonly StepMount[], signal: AbortSignal): Promise<PreparedMounts> {
  if (mounts.length === 0) return { mounts: [], [Symbol.asyncDispose]: async () => undefined }
  await using undo = new AsyncDisposableStack()
  const points = undo.use(new MountPoints(directory, remap))
  const prepare = async (mount: StepMount): Promise<Mount> => {
    switch (mount.kind) {
      case 'bind':
        return { Type: 'bind', Source: points.bind(mount.fd), Target: mount.target, ReadOnly: mount.readOnly }
      case 'tmpfs':
        return { Type: 'tmpfs', Target: mount.target, ...(mount.size === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.size } }) }
      case 'cache':
        return { Type: 'bind', Source: undo.use(await cacheMounts.take(mount, signal)).path, Target: mount.target, ReadOnly: mount.readOnly }
      case 'secret':
        return { Type: 'bind', Source: points.secret(mount.data, mount), Target: mount.target, ReadOnly: true }
      case 'ssh':
        return { Type: 'bind', Source: await points.socket(mount.agent, mount), Target: mount.target, ReadOnly: false }
    }
  }
  const prepared = new Map<StepMount, Mount>()
  // Caches in one order for all steps, so that no two wait for each other.
  const order = mounts.toSorted((a, b) => (a.kind === 'cache' && b.kind === 'cache' ? (a.id < b.id ? -1 : 1) : a.kind === 'cache' ? 1 : b.kind === 'cache' ? -1 : 0))
  for (const mount of order) prepared.set(mount, await prepare(mount))
  const stack = undo.move()
  return { mounts: mounts.map((mount) => prepared.get(mount) as Mount), [Symbol.asyncDispose]: () => stack.disposeAsync() }
}
