import { ApiError } from '../connection/client.ts'
import { onOff, text } from '../arguments/flag.ts'
import { createBody } from '../container-options/create-body.ts'
import { containerFlags } from '../container-options/flags.ts'
import { proxySignals } from '../terminal/signals.ts'
import { followSize } from '../terminal/size.ts'
import { checkTerminal, runSession, type SessionEnd } from '../terminal/session.ts'
import { CommandError, defineCommand } from './command.ts'
import { checkPullPolicy, createContainer } from './create-container.ts'
import { withHelp } from './messages.ts'
import { waitForExit } from './wait-for-exit.ts'
import { isTerminal, print } from '../terminal/output.ts'

const streams = { group: 'Terminal and streams' }

const flags = {
  detach: onOff('Run container in background and print container ID', { ...streams, short: 'd' }),
  'detach-keys': text('Override the key sequence for detaching a container', streams),
  'sig-proxy': onOff('Proxy received signals to the process (default true)', { ...streams, initial: true }),
  ...containerFlags,
}

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  examples: [
    ['engine run -it --rm debian:base bash', 'a shell in a container that is gone afterwards'],
    ['engine run -d --name web -p 8080:80 web', 'in the background, a port published'],
    ['engine run --rm -m 64m --cpus 0.5 -v "$PWD":/src -w /src debian:base make', 'limited, in this directory'],
  ],
  flags,
  args: [1, Infinity],
  flagsFirst: true,
  async run(input, { client, path }) {
    if (!input.flags.detach) client.prepare(3)
    const body = attempt(path, () => {
      checkPullPolicy(input.flags.pull)
      return createBody(input)
    })
    if (input.flags.detach) {
      if (input.flags.attach.length > 0) throw new CommandError('conflicting options: cannot specify both --attach and --detach')
      Object.assign(body, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false })
    } else checkTerminal(body.AttachStdin, body.Tty)

    let id: string
    try {
      id = await createContainer(client, body, input.flags)
    } catch (error) {
      throw withHelp(error, path, failureStatus(error))
    }
    const container = `/containers/${id}`
    // Also when it cannot be started: it is there.
    if (input.flags.detach) print(`${id}\n`)
    const attach = body.AttachStdin || body.AttachStdout || body.AttachStderr
    const shown = body.AttachStdout || body.AttachStderr
    using cleanup = new DisposableStack()
    if (attach && input.flags['sig-proxy']) cleanup.use(proxySignals(client, id))

    // Both must be in place before the start, or the first output, or the end of a short container, would be missed.
    const [connection, exit] = await Promise.all([
      attach
        ? client.hijack('POST', `${container}/attach`, {
            query: { stream: 1, stdin: flag(body.AttachStdin), stdout: flag(body.AttachStdout), stderr: flag(body.AttachStderr), detachKeys: input.flags['detach-keys'] },
          })
        : undefined,
      shown || body.HostConfig.AutoRemove ? waitForExit(client, id, body.HostConfig.AutoRemove ? 'removed' : 'next-exit') : undefined,
    ])
    const session = connection === undefined ? undefined : runSession(connection, { tty: body.Tty, stdin: body.AttachStdin, detachKeys: input.flags['detach-keys'] })
    // Looked at below; until then its failure must not count as unhandled.
    session?.catch(() => undefined)
    try {
      await client.request('POST', `${container}/start`)
    } catch (error) {
      connection?.socket.destroy()
      await session?.catch(() => undefined)
      if (body.HostConfig.AutoRemove) await exit?.status.catch(() => undefined)
      throw withHelp(error, path, failureStatus(error))
    }
    if (!shown && !input.flags.detach) print(`${id}\n`)
    if (attach && body.Tty && isTerminal(1)) cleanup.use(followSize(client, container))
    const end: SessionEnd | undefined = await session
    if (end === 'detached' || !shown || exit === undefined) {
      exit?.cancel()
      return 0
    }
    return await exit.status
  },
})

function flag(on: boolean): 1 | undefined {
  return on ? 1 : undefined
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw withHelp(error, path)
  }
}

/** 127 when the command was not found, 126 when it cannot be executed, 125 for everything else that keeps a container from running. */
export function failureStatus(error: unknown): number {
  if (!(error instanceof ApiError)) return 125
  if (/executable file not found|no such file or directory|system cannot find the file specified/.test(error.message)) return 127
  return /permission denied|is a directory/.test(error.message) ? 126 : 125
}
