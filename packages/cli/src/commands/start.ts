import type { Client } from '../connection/client.ts'
import { onOff, text } from '../arguments/flag.ts'
import { proxySignals } from '../terminal/signals.ts'
import { checkTerminal, runSession } from '../terminal/session.ts'
import { followSize } from '../terminal/size.ts'
import { inspectForAttach } from './attach.ts'
import { CommandError, defineCommand } from './command.ts'
import { describeError } from './messages.ts'
import { waitForExit } from './wait-for-exit.ts'
import { isTerminal, print, printError } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  examples: [['engine start -a job', 'with its output, and its exit status']],
  flags: {
    attach: onOff('Attach STDOUT/STDERR and forward signals', { short: 'a' }),
    'detach-keys': text('Override the key sequence for detaching a container'),
    interactive: onOff("Attach container's STDIN", { short: 'i' }),
  },
  args: [1, Infinity],
  async run({ flags, args }, { client }) {
    if (flags.attach || flags.interactive) {
      const [container = ''] = args
      if (args.length > 1) throw new CommandError('you cannot start and attach multiple containers at once')
      return await startAttached(client, container, flags.interactive, flags['detach-keys'])
    }
    const failed: string[] = []
    for (const container of args) {
      try {
        await client.request('POST', `/containers/${container}/start`)
        print(`${container}\n`)
      } catch (error) {
        printError(`${describeError(error)}\n`)
        failed.push(container)
      }
    }
    if (failed.length > 0) throw new CommandError(`Error: failed to start containers: ${failed.join(', ')}`)
    return 0
  },
})

async function startAttached(client: Client, container: string, interactive: boolean, detachKeys: string | undefined): Promise<number> {
  const state = await inspectForAttach(client, container)
  const stdin = interactive && state.openStdin
  checkTerminal(stdin, state.tty)
  using cleanup = new DisposableStack()
  if (!state.tty) cleanup.use(proxySignals(client, state.id))
  const [connection, exit] = await Promise.all([
    client.hijack('POST', `/containers/${state.id}/attach`, { query: { stream: 1, stdin: stdin ? 1 : undefined, stdout: 1, stderr: 1, detachKeys } }),
    waitForExit(client, state.id, state.autoRemove ? 'removed' : 'next-exit'),
  ])
  const session = runSession(connection, { tty: state.tty, stdin, detachKeys })
  session.catch(() => undefined)
  try {
    await client.request('POST', `/containers/${state.id}/start`)
  } catch (error) {
    connection.socket.destroy()
    exit.cancel()
    await session.catch(() => undefined)
    throw error
  }
  if (state.tty && isTerminal(1)) cleanup.use(followSize(client, `/containers/${state.id}`))
  if ((await session) === 'detached') {
    exit.cancel()
    return 0
  }
  return await exit.status
}
