import { list, onOff, text } from '../arguments/flag.ts'
import { readKeyValueFile, readVariable } from '../arguments/key-values.ts'
import { checkTerminal, runSession } from '../terminal/session.ts'
import { followSize, terminalSize } from '../terminal/size.ts'
import { CommandError, defineCommand } from './command.ts'
import { isTerminal } from '../terminal/output.ts'

const flags = {
  detach: onOff('Detached mode: run command in the background', { short: 'd' }),
  'detach-keys': text('Override the key sequence for detaching a container'),
  env: list('Set environment variables', { short: 'e', read: readVariable }),
  'env-file': list('Read in a file of environment variables'),
  interactive: onOff('Keep STDIN open even if not attached', { short: 'i' }),
  privileged: onOff('Give extended privileges to the command'),
  tty: onOff('Allocate a pseudo-TTY', { short: 't' }),
  user: text('Username or UID (format: "<name|uid>[:<group|gid>]")', { short: 'u' }),
  workdir: text('Working directory inside the container', { short: 'w' }),
}

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  examples: [
    ['engine exec -it web sh', 'a shell beside the container\'s process'],
    ['engine exec -u nobody -e A=1 web env', 'as another user'],
  ],
  flags,
  args: [2, Infinity],
  flagsFirst: true,
  async run({ flags, args }, { client }) {
    const [container = '', ...Cmd] = args
    const attach = !flags.detach
    if (attach) checkTerminal(flags.interactive, flags.tty)
    const ConsoleSize = flags.tty ? terminalSize() : undefined
    const size = ConsoleSize === undefined || ConsoleSize[0] === 0 ? {} : { ConsoleSize }
    const { body: { Id } } = await client.request<{ Id: string }>('POST', `/containers/${container}/exec`, {
      body: {
        User: flags.user ?? '',
        Privileged: flags.privileged,
        Tty: flags.tty,
        AttachStdin: attach && flags.interactive,
        AttachStdout: attach,
        AttachStderr: attach,
        DetachKeys: flags['detach-keys'] ?? '',
        Env: [...flags['env-file'].flatMap((path) => readKeyValueFile(path, true)), ...flags.env],
        WorkingDir: flags.workdir ?? '',
        Cmd,
        ...size,
      },
    })
    const exec = `/exec/${Id}`
    if (!attach) {
      await client.request('POST', `${exec}/start`, { body: { Detach: true, Tty: flags.tty, ...size } })
      return 0
    }
    const connection = await client.hijack('POST', `${exec}/start`, { body: { Detach: false, Tty: flags.tty, ...size } })
    using cleanup = new DisposableStack()
    if (flags.tty && isTerminal(1)) cleanup.use(followSize(client, exec))
    const end = await runSession(connection, { tty: flags.tty, stdin: flags.interactive, detachKeys: flags['detach-keys'] })
    if (end === 'detached') throw new CommandError('read escape sequence')
    const { body } = await client.request<{ ExitCode: number | null }>('GET', `${exec}/json`)
    return body.ExitCode ?? 0
  },
})
