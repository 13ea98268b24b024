import { existsSync, readdirSync, readlinkSync, renameSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { mountsBelow } from '@engine/image'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import type { EngineOptions } from '../interface.ts'
import type { ProjectQuotas } from '../quotas/project-quotas.ts'
import type { VolumesTable } from '../state/volumes-table.ts'
import type { DeviceMounts } from './device-mounts.ts'
import { makingFolder, renamesFolder, trashFolder, type VolumeDirectories } from './volume-directories.ts'
import { isDevice } from './volume-options.ts'

interface Volumes {
  /** The directory `volumes`. */
  readonly root: string
  readonly table: VolumesTable
  readonly files: VolumeDirectories
  readonly mounts: DeviceMounts
  readonly quotas: Pick<ProjectQuotas, 'rename'>
  readonly log: EngineOptions['log']
}

/**
 * Finishes removals and renamings of volumes that a crash interrupted, undoes creations, and unmounts what nobody uses. At the start,
 * before anything else is done with them.
 * @param inUse names of volumes that running containers have, with the containers' ids
 */
export function settleVolumes(volumes: Volumes, inUse: Iterable<readonly [name: string, user: string]>): void {
  const { root, table, files, mounts, log } = volumes
  for (const [name, user] of inUse) if (isDevice(table.get(name)?.options ?? null)) mounts.adopt(name, user)
  for (const { mountPoint } of mountsBelow(root)) {
    const name = mountPoint.slice(root.length + 1).split('/')[0] ?? ''
    if (!mounts.isUsed(name)) while (unmount(mountPoint, MNT_DETACH | UMOUNT_NOFOLLOW));
  }
  for (const from of readdirSync(join(root, renamesFolder))) finishRename(volumes, from)
  for (const name of readdirSync(join(root, makingFolder))) finishClone(volumes, join(root, makingFolder, name))
  for (const trash of readdirSync(join(root, trashFolder))) {
    for (const volume of readdirSync(join(root, trashFolder, trash))) if (!existsSync(join(root, volume))) table.delete(volume)
    files.delete(trash)
  }
  const known = table.all()
  const names = new Set([trashFolder, makingFolder, renamesFolder, ...known.map(({ name }) => name)])
  for (const name of readdirSync(root)) if (!names.has(name)) files.removeEmpty(name)
  for (const { name } of known) {
    if (!existsSync(files.directory(name))) log('error', { volume: name }, 'the directory of a volume is missing')
  }
}

function finishClone({ root, table, files }: Volumes, making: string): void {
  for (const name of readdirSync(making)) {
    if (table.get(name) !== undefined && !existsSync(join(root, name))) renameSync(join(making, name), join(root, name))
  }
  files.discard(making)
}

function finishRename({ root, table, quotas }: Volumes, from: string): void {
  const note = join(root, renamesFolder, from)
  const to = readlinkSync(note)
  const moved = !existsSync(join(root, from)) && existsSync(join(root, to))
  if (moved && table.get(from) !== undefined) table.rename(from, to)
  if (moved) quotas.rename(from, to)
  unlinkSync(note)
}
