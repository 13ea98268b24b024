import type { Readable } from 'node:stream'
import type { Filters } from './filters.ts'

export interface Volumes {
  list(filters: Filters): Promise<{ Volumes: VolumeView[]; Warnings: null }>
  inspect(name: string): Promise<VolumeView>
  create(options: { readonly Name: string; readonly Driver: string; readonly DriverOpts: Readonly<Record<string, string>>; readonly Labels: Readonly<Record<string, string>> }): Promise<VolumeView>
  remove(name: string, force: boolean): Promise<void>
  prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>
  /** All volumes with the bytes of their files, and how many containers have each. */
  usage(): Promise<(VolumeView & { UsageData: { Size: number; RefCount: number } })[]>
  rename(name: string, to: string): Promise<VolumeView>
  /** Makes a volume with the contents of another, whose users go on. */
  clone(name: string, to: string, labels: Readonly<Record<string, string>>): Promise<VolumeView>
  /** The tar of a volume's files. Destroying it ends the work. */
  read(name: string): Promise<Readable>
  /** Extracts a tar (compressed or not) into a volume. */
  write(name: string, tar: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void>
}

export interface VolumeView {
  Name: string
  Driver: string
  Mountpoint: string
  CreatedAt: string
  Labels: Record<string, string> | null
  Scope: 'local'
  Options: Record<string, string> | null
}
