import { onOff, text } from '../arguments/flag.ts'
import { ApiError, type Client } from '../connection/client.ts'
import { render } from '../output/format.ts'
import { statsView, type StatsRow } from '../output/views/stats.ts'
import { followAll, followNamed, type Watched } from '../stats/watch.ts'
import { print } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'
import { describeError } from './messages.ts'

/** Milliseconds between two pictures. */
const refresh = 500

export const command = defineCommand({
  usage: '[OPTIONS] [CONTAINER...]',
  summary: 'Display a live stream of container(s) resource usage statistics',
  examples: [
    ['engine stats', 'all that run, until Ctrl-C'],
    ["engine stats --no-stream --format '{{.Name}} {{.MemUsage}}' web", 'once, in a form of your own'],
  ],
  flags: {
    all: onOff('Show all containers (default shows just running)', { short: 'a' }),
    format: text("Format output: 'table', 'table TEMPLATE', 'json' or a Go template"),
    'no-stream': onOff('Disable streaming stats and only pull the first result'),
    'no-trunc': onOff('Do not truncate output'),
  },
  args: [0, Infinity],
  async run({ flags, args }, { client }) {
    const draw = (rows: readonly StatsRow[]): Promise<string> => render(statsView, rows, { format: flags.format, truncate: !flags['no-trunc'] })
    const stream = !flags['no-stream']
    const watched = args.length > 0 ? followNamed(client, args, stream) : await followAll(client, flags.all, stream)
    await watched.begun()
    if (!stream) return once(watched, draw)
    return live(client, watched, args.length > 0, draw)
  },
})

async function once(watched: Watched, draw: (rows: readonly StatsRow[]) => Promise<string>): Promise<number> {
  refuse(watched)
  print(await draw(watched.rows()))
  return 0
}

/** Draws over the picture before, line by line, so that nothing flickers. */
async function live(client: Client, watched: Watched, named: boolean, draw: (rows: readonly StatsRow[]) => Promise<string>): Promise<number> {
  refuse(watched)
  for (;;) {
    const lines = (await draw(watched.rows())).split('\n')
    print(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`)
    if (named && watched.rows().length === 0) return 0
    if (watched.lost !== undefined) throw new ApiError(0, `the connection to the daemon at ${client.host} has ended`)
    await new Promise((resolve) => setTimeout(resolve, refresh))
  }
}

/** @throws CommandError with every container that could not be asked for */
function refuse({ failures }: Watched): void {
  if (failures.length > 0) throw new CommandError(failures.map(describeError).join('\n'))
}
