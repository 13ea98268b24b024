import { shortId } from '../../arguments/image-reference.ts'
import type { View } from '../format.ts'
import { goTime } from '../human.ts'
import { joinLabels } from './labels.ts'

export interface Network {
  readonly Name: string
  readonly Id: string
  readonly Created: string
  readonly Scope: string
  readonly Driver: string
  readonly EnableIPv4?: boolean
  readonly EnableIPv6: boolean
  readonly Internal: boolean
  readonly Labels: Readonly<Record<string, string>> | null
}

export const networkView: View<Network> = {
  type: '*network.networkContext',
  quiet: 'ID',
  table: ['ID', 'Name', 'Driver', 'Scope'],
  headers: {
    ID: 'NETWORK ID', Name: 'NAME', Driver: 'DRIVER', Scope: 'SCOPE', IPv4: 'IPV4', IPv6: 'IPV6', Internal: 'INTERNAL', Labels: 'LABELS', CreatedAt: 'CREATED AT',
  },
  members: (network, truncate) => ({
    ID: truncate ? shortId(network.Id) : network.Id,
    Name: network.Name,
    Driver: network.Driver,
    Scope: network.Scope,
    IPv4: String(network.EnableIPv4 ?? true),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: () => joinLabels(network.Labels),
    Label: (name: string) => network.Labels?.[name] ?? '',
    CreatedAt: () => goTime(Date.parse(network.Created) / 1000, /\.([0-9]+?)0*(Z|[+-])/.exec(network.Created)?.[1] ?? ''),
  }),
}
