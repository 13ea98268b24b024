import { filterFlag, toFilters } from '../arguments/filters.ts'
import { text } from '../arguments/flag.ts'
import { readMoment } from '../arguments/durations.ts'
import type { Value } from '../output/go-template/value.ts'
import { rfc3339 } from '../output/human.ts'
import { textLines } from '../connection/client.ts'
import { CommandError, defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

interface Event {
  readonly Type: string
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes?: Readonly<Record<string, string>> | null }
  readonly time?: number
}

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Get real time events from the server',
  examples: [["engine events --since 10m --until 0s -f event=die", 'what ended in the last ten minutes']],
  flags: {
    filter: filterFlag('Filter output based on conditions provided', 'f'),
    format: text("Format output: 'json' or a Go template"),
    since: text('Show all events created since timestamp'),
    until: text('Stream events until this timestamp'),
  },
  args: [0, 0],
  async run({ flags }, { client }) {
    const show = await formatter(flags.format)
    const now = Date.now()
    const moment = (given: string | undefined): string | undefined => (given === undefined || given === '' ? undefined : readMoment(given, now))
    const answer = await client.stream('GET', '/events', {
      query: { since: moment(flags.since), until: moment(flags.until), filters: toFilters(flags.filter) },
    })
    for await (const line of textLines(client.host, answer.body)) print(`${show(line)}\n`)
    return 0
  },
})

async function formatter(format: string | undefined): Promise<(line: string) => string> {
  if (format === undefined || format === '') return showEvent
  if (format === 'json') return (line) => line
  const { compile, Struct } = await import('../output/go-template/index.ts')
  try {
    const template = compile(format)
    return (line) => {
      const event = JSON.parse(line) as Record<string, Value>
      return template(new Struct(event, namesInTemplates(event)))
    }
  } catch (error) {
    throw new CommandError(`Error parsing format: ${(error as Error).message}`, 64)
  }
}

/** The names that docker's templates have for what an event's JSON calls otherwise. */
function namesInTemplates({ status = '', id = '', from = '', scope = '', time = 0, timeNano = 0 }: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  return { Status: status, ID: id, From: from, Scope: scope, Time: time, TimeNano: timeNano }
}

/** `<time> container start <id> (image=…, name=…)`. Takes the text, because timeNano is beyond what a number holds. */
export function showEvent(line: string): string {
  const event = JSON.parse(line) as Event
  const nanoseconds = BigInt(/"timeNano":(\d+)/.exec(line)?.[1] ?? '0')
  const time = nanoseconds > 0n
    ? rfc3339(Number(nanoseconds / 1_000_000_000n), String(nanoseconds % 1_000_000_000n).padStart(9, '0'))
    : rfc3339(event.time ?? 0, '000000000')
  const attributes = Object.entries(event.Actor.Attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`)
  return `${time} ${event.Type} ${event.Action} ${event.Actor.ID}${attributes.length === 0 ? '' : ` (${attributes.join(', ')})`}`
}
