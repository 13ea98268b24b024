import { onOff, text } from '../arguments/flag.ts'
import { defineCommand } from './command.ts'
import { fetchJson } from './inspect-objects.ts'
import { print } from '../terminal/output.ts'

interface Trace {
  readonly From: string
  readonly To: string
  readonly Protocol: string
  readonly Reaches: boolean
  readonly Steps: readonly { readonly Step: string; readonly Passes: boolean; readonly Detail: string; readonly Hint?: string }[]
}

export const command = defineCommand({
  usage: '[OPTIONS] FROM TO[:PORT]',
  summary: 'Walk the way of a packet, and name what stops it',
  examples: [
    ['engine net trace web db:5432', 'from container web to port 5432 of container db'],
    ['engine net trace outside web:80', 'from beyond this host to what web publishes'],
    ['engine net trace host 127.0.0.1:8080', 'from this host to a published port'],
    ['engine net trace web [fd00::2]:80', 'from container web to an address of IPv6'],
  ],
  flags: { json: onOff('Print the steps as JSON'), protocol: text('Protocol: tcp or udp'), ipv6: onOff('By IPv6; without it by IPv4, where both have it') },
  args: [2, 2],
  async run({ flags, args: [from = '', to = ''] }, { client }) {
    const json = await fetchJson(client, '/net/trace', { from, to, protocol: flags.protocol, family: flags.ipv6 ? 'ipv6' : undefined })
    const trace = JSON.parse(json) as Trace
    print(flags.json ? `${json.trim()}\n` : show(trace))
    return trace.Reaches ? 0 : 1
  },
})

function show({ Steps, Reaches, To, Protocol }: Trace): string {
  const lines = Steps.map(({ Step, Passes, Detail, Hint }) => `${Passes ? '✓' : '✗'} ${Step.padEnd(12)} ${Detail}\n${Hint === undefined ? '' : `${' '.repeat(15)}hint: ${Hint}\n`}`)
  return `${lines.join('')}${Reaches ? 'reaches' : 'does not reach'} ${To} (${Protocol})\n`
}
