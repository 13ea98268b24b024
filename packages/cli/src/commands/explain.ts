import { onOff } from '../arguments/flag.ts'
import { showLedger, type LedgerEntry } from '../output/ledger.ts'
import { defineCommand } from './command.ts'
import { fetchJson } from './inspect-objects.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Show every kernel action that made a container, and its cause',
  examples: [
    ['engine explain web', 'call by call, grouped by the request that caused them'],
    ['engine explain --json web | grep mount', 'for a program'],
  ],
  flags: { json: onOff('Print the entries as a JSON array') },
  args: [1, 1],
  async run({ flags, args: [container = ''] }, { client }) {
    const json = await fetchJson(client, `/containers/${container}/explain`)
    print(flags.json ? `${json.trim()}\n` : showLedger(JSON.parse(json) as LedgerEntry[]))
    return 0
  },
})
