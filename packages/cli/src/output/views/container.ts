import { familiarImage, shortId } from '../../arguments/image-reference.ts'
import type { View } from '../format.ts'
import { goQuote } from '../go-quote.ts'
import { goTime, humanSince, humanSize } from '../human.ts'
import { ellipsis } from '../table.ts'
import { joinLabels } from './labels.ts'

/** What `GET /containers/json` says of one container, as far as it is shown. */
export interface ContainerSummary {
  readonly Id: string
  readonly Names: readonly string[] | null
  readonly Image: string
  readonly ImageID: string
  readonly Command: string
  readonly Created: number
  readonly Ports: readonly Port[] | null
  readonly SizeRw?: number
  readonly SizeRootFs?: number
  readonly Labels: Readonly<Record<string, string>> | null
  readonly State: string
  readonly Status: string
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, unknown>> | null } | null
  readonly Mounts?: readonly { readonly Name?: string; readonly Source?: string; readonly Driver?: string }[] | null
}

export interface Port {
  readonly IP?: string
  readonly PrivatePort: number
  readonly PublicPort?: number
  readonly Type: string
}

export const containerView: View<ContainerSummary> = {
  type: '*formatter.ContainerContext',
  quiet: 'ID',
  table: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'],
  headers: {
    ID: 'CONTAINER ID', Names: 'NAMES', Image: 'IMAGE', Command: 'COMMAND', CreatedAt: 'CREATED AT', RunningFor: 'CREATED', Ports: 'PORTS',
    State: 'STATE', Status: 'STATUS', Size: 'SIZE', Labels: 'LABELS', Mounts: 'MOUNTS', LocalVolumes: 'LOCAL VOLUMES', Networks: 'NETWORKS', Platform: 'PLATFORM',
  },
  raw: 'container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\nstate: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\n'
    + 'names: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n',
  members: (container, truncate) => ({
    ID: truncate ? shortId(container.Id) : container.Id,
    Names: () => names(container, truncate),
    Image: () => (container.Image === '' ? '<no image>' : truncate ? familiarImage(container.Image, container.ImageID) : container.Image),
    Command: () => goQuote(truncate ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: () => goTime(container.Created),
    RunningFor: () => humanSince(container.Created),
    Ports: () => showPorts(container.Ports ?? []),
    State: container.State,
    Status: container.Status,
    Size: () => size(container),
    Labels: () => joinLabels(container.Labels),
    Label: (name: string) => container.Labels?.[name] ?? '',
    Mounts: () => mounts(container, truncate),
    LocalVolumes: () => String((container.Mounts ?? []).filter(({ Driver }) => Driver === 'local').length),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Platform: () => null,
  }),
}

function names({ Names }: ContainerSummary, truncate: boolean): string {
  const plain = (Names ?? []).map((name) => name.replace(/^\//, ''))
  // A name with a slash in it is a link's.
  return truncate ? (plain.find((name) => !name.includes('/')) ?? '') : plain.join(',')
}

function size({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  return SizeRootFs > 0 ? `${humanSize(SizeRw)} (virtual ${humanSize(SizeRootFs)})` : humanSize(SizeRw)
}

function mounts({ Mounts }: ContainerSummary, truncate: boolean): string {
  return (Mounts ?? []).map(({ Name, Source }) => {
    const name = Name === undefined || Name === '' ? (Source ?? '') : Name
    return truncate ? ellipsis(name, 15) : name
  }).join(',')
}

/** `0.0.0.0:80->9090/tcp, 443/tcp`; neighbouring ports that map alike become a range. */
export function showPorts(ports: readonly Port[]): string {
  const groups = new Map<string, { first: number; last: number }>()
  const done: string[] = []
  const mapped: string[] = []
  for (const { IP = '', PrivatePort, PublicPort = 0, Type } of ports.toSorted(byPort)) {
    if (IP !== '' && PublicPort !== PrivatePort) {
      mapped.push(`${host(IP)}:${PublicPort}->${PrivatePort}/${Type}`)
      continue
    }
    const key = IP === '' ? Type : `${IP}/${Type}`
    const group = groups.get(key)
    if (group !== undefined && PrivatePort === group.last + 1) {
      group.last = PrivatePort
      continue
    }
    if (group !== undefined) done.push(showGroup(key, group))
    groups.set(key, { first: PrivatePort, last: PrivatePort })
  }
  return [...done, ...[...groups].map(([key, group]) => showGroup(key, group)), ...mapped].join(', ')
}

function showGroup(key: string, { first, last }: { first: number; last: number }): string {
  const [address, type] = key.includes('/') ? [key.slice(0, key.lastIndexOf('/')), key.slice(key.lastIndexOf('/') + 1)] : ['', key]
  const range = first === last ? String(first) : `${first}-${last}`
  return `${address === '' ? range : `${host(address)}:${range}->${range}`}/${type}`
}

function host(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

function byPort(a: Port, b: Port): number {
  const text = (x = '', y = ''): number => (x < y ? -1 : x > y ? 1 : 0)
  return a.PrivatePort - b.PrivatePort || text(a.IP, b.IP) || (a.PublicPort ?? 0) - (b.PublicPort ?? 0) || text(a.Type, b.Type)
}
