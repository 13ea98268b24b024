import type { View } from '../format.ts'
import { joinLabels } from './labels.ts'

export interface Volume {
  readonly Name: string
  readonly Driver: string
  readonly Mountpoint: string
  readonly Labels: Readonly<Record<string, string>> | null
  readonly Scope: string
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
    Links: 'N/A',
    Size: 'N/A',
    Group: 'N/A',
    Availability: 'N/A',
    Status: 'N/A',
  }),
}
