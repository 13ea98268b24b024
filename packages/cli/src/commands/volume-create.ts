import { list, text } from '../arguments/flag.ts'
import { readLabel, toMap } from '../arguments/key-values.ts'
import { CommandError, defineCommand } from './command.ts'
import { print } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] [VOLUME]',
  summary: 'Create a volume',
  flags: {
    driver: text('Specify volume driver name (default "local")', { short: 'd' }),
    label: list('Set metadata for a volume', { read: readLabel }),
    name: text('Specify volume name', { hidden: true }),
    opt: list('Set driver specific options', { short: 'o', word: 'map' }),
    size: text('Bytes that it may take, as 10G, where the file system has project quotas', { word: 'bytes' }),
  },
  args: [0, 1],
  async run({ flags, args: [name] }, { client }) {
    if (name !== undefined && flags.name !== undefined) throw new CommandError('conflicting options: cannot specify a volume-name through both --name and as a positional arg')
    const { body } = await client.request<{ Name: string }>('POST', '/volumes/create', {
      body: {
        Name: name ?? flags.name ?? '',
        Driver: flags.driver ?? 'local',
        ...(flags.opt.length === 0 && flags.size === undefined ? {} : { DriverOpts: { ...toMap(flags.opt), ...(flags.size === undefined ? {} : { size: flags.size }) } }),
        ...(flags.label.length === 0 ? {} : { Labels: toMap(flags.label) }),
      },
    })
    print(`${body.Name}\n`)
    return 0
  },
})
