import { list, text, value } from '../arguments/flag.ts'
import { readLink } from '../arguments/addresses.ts'
import { readCsv } from '../arguments/csv.ts'
import { toMap } from '../arguments/key-values.ts'
import { defineCommand } from './command.ts'

const strings = { read: readCsv, word: 'strings' } as const

export const command = defineCommand({
  usage: '[OPTIONS] NETWORK CONTAINER',
  summary: 'Connect a container to a network',
  flags: {
    alias: list('Add network-scoped alias for the container', strings),
    'driver-opt': list('driver options for the network', strings),
    'gw-priority': value(readInteger, 'Highest gw-priority provides the default gateway. Accepts positive and negative values.', { word: 'int' }),
    ip: text('IPv4 address (e.g., "172.30.100.104")'),
    ip6: text('IPv6 address (e.g., "2001:db8::33")'),
    link: list('Add link to another container', { read: readLink }),
    'link-local-ip': list('Add a link-local address for the container', strings),
  },
  args: [2, 2],
  async run({ flags, args: [network = '', container = ''] }, { client }) {
    const linkLocal = flags['link-local-ip'].flat()
    await client.request('POST', `/networks/${network}/connect`, {
      body: {
        Container: container,
        EndpointConfig: {
          IPAMConfig: { IPv4Address: flags.ip, IPv6Address: flags.ip6, ...(linkLocal.length === 0 ? {} : { LinkLocalIPs: linkLocal }) },
          Links: flags.link.length === 0 ? null : flags.link,
          Aliases: flags.alias.flat(),
          DriverOpts: toMap(flags['driver-opt'].flat()),
          GwPriority: flags['gw-priority'] ?? 0,
        },
      },
    })
    return 0
  },
})

/** @throws Error with Go's text */
function readInteger(given: string): number {
  if (!/^[+-]?\d+$/.test(given)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(given)}: invalid syntax`)
  return Number(given)
}
