import { naturalOrder } from '../output/views/labels.ts'
import { CommandError, defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

interface Place {
  readonly HostIp: string
  readonly HostPort: string
}

interface Inspected {
  readonly NetworkSettings: { readonly Ports: Readonly<Record<string, readonly Place[] | null>> | null }
}

export const command = defineCommand({
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  summary: 'List port mappings or a specific mapping for the container',
  examples: [['engine port web 80/tcp', 'where port 80 of the container is reached on the host']],
  flags: {},
  args: [1, 2],
  async run({ args: [container = '', wanted] }, { client }) {
    const { body } = await client.request<Inspected>('GET', `/containers/${container}/json`)
    const ports = Object.entries(body.NetworkSettings.Ports ?? {})
    const lines = wanted === undefined ? ports.flatMap(([port, places]) => (places ?? []).map((place) => `${port} -> ${shown(place)}`)) : chosen(ports, wanted, container)
    print(lines.toSorted(naturalOrder).map((line) => `${line}\n`).join(''))
    return 0
  },
})

function chosen(ports: readonly (readonly [string, readonly Place[] | null])[], wanted: string, container: string): string[] {
  const [number = '', protocol = ''] = wanted.split('/')
  const failure = !/^[0-9]+$/.test(number) ? 'invalid syntax' : Number(number) > 65_535 ? 'value out of range' : undefined
  if (failure !== undefined) throw new CommandError(`Error: invalid port (${number}): strconv.ParseUint: parsing ${JSON.stringify(number)}: ${failure}`)
  const places = ports.find(([port]) => port === `${Number(number)}/${protocol || 'tcp'}`)?.[1]
  if (places === undefined || places === null) throw new CommandError(`Error: No public port '${wanted}' published for ${container}`)
  return places.map(shown)
}

function shown({ HostIp, HostPort }: Place): string {
  return `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}`
}
