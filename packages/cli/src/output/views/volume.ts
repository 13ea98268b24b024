import type { View } from '../format.ts'
import { humanSize } from '../human.ts'
import { joinLabels } from './labels.ts'

export interface Volume {
  readonly Name: string
  readonly Driver: string
  readonly Mountpoint: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly Scope: string
  /** Only in what `GET /system/df` says; -1 where it is not known. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null
}

export const volumeView: View<Volume> = {
  type: '*volume.volumeContext',
  quiet: 'Name',
  table: ['Driver', 'Name'],
  headers: {
    Name: 'VOLUME NAME', Driver: 'DRIVER', Scope: 'SCOPE', Mountpoint: 'MOUNTPOINT', Labels: 'LABELS', Links: 'LINKS', Size: 'SIZE',
    Group: 'GROUP', Availability: 'AVAILABILITY', Status: 'STATUS',
  },
  members: (volume) => ({
    Name: volume.Name,
    Driver: volume.Driver,
    Scope: volume.Scope,
    Mountpoint: volume.Mountpoint,
    Labels: () => joinLabels(volume.Labels),
    Label: (name: string) => volume.Labels?.[name] ?? '',
    Links: () => (volume.UsageData == null ? 'N/A' : String(volume.UsageData.RefCount)),
    Size: () => (volume.UsageData == null ? 'N/A' : humanSize(volume.UsageData.Size, 4)),
    Group: 'N/A',
    Availability: 'N/A',
    Status: 'N/A',
  }),
}
