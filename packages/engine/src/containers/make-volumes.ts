import { randomBytes } from 'node:crypto'
import { fstatSync } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { openInRoot, openRoot, O_PATH } from '@engine/linux/paths'
import type { EngineContext } from '../context.ts'
import { isRemapped, rootIds } from '../userns/container-ids.ts'
import type { ContainerRecord } from './container.ts'
import type { ContainerMount } from './mount-parse.ts'

export interface MadeVolumes {
  readonly mounts: readonly ContainerMount[]
  /** Takes volumes without a name away again. */
  readonly undo: () => Promise<void>
}

/** Names for the volumes of a new container that were given none, by where they are mounted. */
export type VolumeNames = ReadonlyMap<string, string>

/** Chooses names for volumes without one: before anything is made, so that the intent can hold them. */
export function nameVolumes({ mounts }: Pick<ContainerRecord, 'mounts'>): VolumeNames {
  return new Map(mounts.flatMap(({ point }) => (point.Type === 'volume' && !point.Name ? [[point.Destination, randomBytes(32).toString('hex')]] : [])))
}

/** All volumes that a new container will have. */
export function claimedVolumes({ mounts }: Pick<ContainerRecord, 'mounts'>, names: VolumeNames): string[] {
  return [...names.values(), ...mounts.flatMap(({ point }) => (point.Type === 'volume' && point.Name ? [point.Name] : []))]
}

/** Volumes that a new container brings into being: what the next start takes away when the creation is broken off. */
export function volumesToMake(engine: Pick<EngineContext, 'volumes'>, { mounts }: Pick<ContainerRecord, 'mounts'>, names: VolumeNames): string[] {
  const named = mounts.flatMap(({ point }) => (point.Type === 'volume' && point.Name && !engine.volumes.has(point.Name) ? [point.Name] : []))
  return [...names.values(), ...named]
}

/**
 * Makes the volumes that a new container's mounts name, and fills empty ones with what the image has in their place.
 * Only with volumes is the container's root mounted for that moment.
 */
export async function makeVolumes(engine: EngineContext, record: ContainerRecord, names: VolumeNames): Promise<MadeVolumes> {
  const anonymous: string[] = []
  const undo = async (): Promise<void> => {
    for (const name of anonymous) await engine.volumes.remove(name)
  }
  if (!record.mounts.some(({ point }) => point.Type === 'volume')) return { mounts: record.mounts, undo }
  try {
    const mounts: ContainerMount[] = []
    for (const mount of record.mounts) {
      if (mount.point.Type !== 'volume') {
        mounts.push(mount)
        continue
      }
      const chosen = names.get(mount.point.Destination)
      const made = await engine.volumes.ensure({
        name: chosen ?? mount.point.Name ?? '',
        anonymous: chosen !== undefined,
        driver: mount.point.Driver ?? 'local',
        options: mount.volume?.options ?? {},
        labels: mount.volume?.labels ?? {},
        owner: rootIds(engine, record.hostConfig),
      })
      if (chosen !== undefined) anonymous.push(made.name)
      mounts.push({ ...mount, point: { ...mount.point, Name: made.name, Source: made.mountpoint } })
    }
    await populate(engine, record, mounts)
    return { mounts, undo }
  } catch (error) {
    await undo()
    throw error
  }
}

async function populate(engine: EngineContext, record: ContainerRecord, mounts: readonly ContainerMount[]): Promise<void> {
  const root = await engine.overlay.mount(record.id, { mapped: isRemapped(engine, record.hostConfig) })
  try {
    using directory = openRoot(root)
    const imageVolumes = new Set(Object.keys(record.config.Volumes ?? {}))
    for (const { point, noCopy } of mounts) {
      if (point.Type !== 'volume') continue
      if (imageVolumes.has(point.Destination)) refuseFile(directory.fd, root, point.Destination)
      if (noCopy !== true) await engine.volumes.populate(point.Name as string, root, point.Destination)
    }
  } finally {
    await engine.overlay.unmount(record.id)
  }
}

/** An image's volume on a path where the image has a file. */
function refuseFile(rootFd: number, root: string, path: string): void {
  try {
    using found = openInRoot(rootFd, path, O_PATH)
    if (!fstatSync(found.fd).isDirectory()) throw new EngineError('internal', `cannot mount volume over existing file, file exists ${root}${path}`)
  } catch (error) {
    if (!failedWith(error, Errno.ENOENT, Errno.ENOTDIR)) throw error
  }
}
