import { list, onOff, text, value, readBoolean } from '../arguments/flag.ts'
import { readCsv } from '../arguments/csv.ts'
import { readLabel, toMap } from '../arguments/key-values.ts'
import { print } from '../terminal/output.ts'
import { ipamConfig } from './network-ipam.ts'
import { defineCommand } from './command.ts'

const strings = { read: readCsv, word: 'strings' } as const

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK',
  summary: 'Create a network',
  examples: [
    ['engine network create back', 'a network of its own, on which containers find each other by name'],
    ['engine network create --subnet 10.5.0.0/24 --ipv6 --internal db', 'addresses of your choice, both families, no way out'],
  ],
  flags: {
    attachable: onOff('Enable manual container attachment'),
    'aux-address': list('Auxiliary IPv4 or IPv6 addresses used by Network driver', { word: 'map' }),
    'config-from': text('The network from which to copy the configuration'),
    'config-only': onOff('Create a configuration only network'),
    driver: text('Driver to manage the Network (default "bridge")', { short: 'd' }),
    gateway: list('IPv4 or IPv6 Gateway for the master subnet', strings),
    ingress: onOff('Create swarm routing-mesh network'),
    internal: onOff('Restrict external access to the network'),
    'ip-range': list('Allocate container ip from a sub-range', strings),
    'ipam-driver': text('IP Address Management Driver (default "default")'),
    'ipam-opt': list('Set IPAM driver specific options', { word: 'map' }),
    ipv4: { ...value(readBoolean, 'Enable or disable IPv4 address assignment', { word: '' }), bare: 'true' },
    ipv6: { ...value(readBoolean, 'Enable or disable IPv6 address assignment', { word: '' }), bare: 'true' },
    label: list('Set metadata on a network', { read: readLabel }),
    opt: list('Set driver specific options', { short: 'o', word: 'map' }),
    scope: text("Control the network's scope"),
    subnet: list('Subnet in CIDR format that represents a network segment', strings),
  },
  args: [1, 1],
  async run({ flags, args: [name = ''] }, { client }) {
    const { body } = await client.request<{ Id: string; Warning?: string }>('POST', '/networks/create', {
      body: {
        Name: name,
        Driver: flags.driver ?? 'bridge',
        Scope: flags.scope ?? '',
        EnableIPv4: flags.ipv4,
        EnableIPv6: flags.ipv6,
        IPAM: {
          Driver: flags['ipam-driver'] ?? 'default',
          Options: toMap(flags['ipam-opt']),
          Config: ipamConfig({ subnets: flags.subnet.flat(), ranges: flags['ip-range'].flat(), gateways: flags.gateway.flat(), auxiliary: toMap(flags['aux-address']) }),
        },
        Internal: flags.internal,
        Attachable: flags.attachable,
        Ingress: flags.ingress,
        ConfigOnly: flags['config-only'],
        ConfigFrom: flags['config-from'] === undefined ? null : { Network: flags['config-from'] },
        Options: toMap(flags.opt),
        Labels: toMap(flags.label),
      },
    })
    print(`${body.Id}\n`)
    return 0
  },
})
