import { ApiError, type Client } from '../connection/client.ts'
import { onOff, text } from '../arguments/flag.ts'
import { CommandError, defineCommand } from './command.ts'
import { fetchJson, inspectObjects } from './inspect-objects.ts'

const paths: Readonly<Record<string, (name: string) => string>> = {
  container: (name) => `/containers/${name}/json`,
  image: (name) => `/images/${name}/json`,
  network: (name) => `/networks/${name}`,
  volume: (name) => `/volumes/${name}`,
}

export const command = defineCommand({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on Docker objects',
  examples: [
    ["engine inspect -f '{{.GraphDriver.Data.MergedDir}}' web", 'where a container\'s files are on the host'],
    ["engine inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web", 'its addresses'],
  ],
  flags: {
    format: text("Format output: 'json' or a Go template", { short: 'f' }),
    size: onOff('Display total file sizes if the type is container', { short: 's' }),
    type: text('Only inspect objects of the given type (container, image, network, volume)'),
  },
  args: [1, Infinity],
  async run({ flags, args }, { client }) {
    const { type } = flags
    if (type !== undefined && type !== '' && paths[type] === undefined) {
      throw new CommandError(`unknown type: ${JSON.stringify(type)}: must be one of ${Object.keys(paths).sort().map((kind) => JSON.stringify(kind)).join(', ')}`)
    }
    const one = type === undefined || type === '' ? undefined : paths[type]
    if (one !== undefined) return await inspectObjects(args, (name) => fetch(client, one(name), flags.size), { format: flags.format })
    return await inspectObjects(args, (name) => fetchAny(client, name, flags.size), {
      format: flags.format,
      notFound: (name) => `Error: No such object: ${name}`,
    })
  },
})

function fetch(client: Client, path: string, size: boolean): Promise<string> {
  return fetchJson(client, path, { size: size && path.startsWith('/containers/') ? 1 : undefined })
}

/** The first kind of object that has something of the name: containers come before images. */
async function fetchAny(client: Client, name: string, size: boolean): Promise<string> {
  let missing: unknown
  for (const path of Object.values(paths)) {
    try {
      return await fetch(client, path(name), size)
    } catch (error) {
      // 400: the name cannot be one of that kind at all.
      if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 400)) throw error
      if (error.status === 404) missing = error
    }
  }
  throw missing
}
