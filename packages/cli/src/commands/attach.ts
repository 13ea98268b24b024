import type { Client } from '../connection/client.ts'
import { onOff, text } from '../arguments/flag.ts'
import { proxySignals } from '../terminal/signals.ts'
import { checkTerminal, runSession } from '../terminal/session.ts'
import { followSize } from '../terminal/size.ts'
import { CommandError, defineCommand } from './command.ts'
import { waitForExit } from './wait-for-exit.ts'
import { isTerminal } from '../terminal/output.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  examples: [['engine attach --sig-proxy=false web', 'look on; Ctrl-C ends only the looking']],
  flags: {
    'detach-keys': text('Override the key sequence for detaching a container'),
    'no-stdin': onOff('Do not attach STDIN'),
    'sig-proxy': onOff('Proxy all received signals to the process (default true)', { initial: true }),
  },
  args: [1, 1],
  async run({ flags, args: [container = ''] }, { client }) {
    const state = await inspectForAttach(client, container)
    if (!state.running) throw new CommandError('You cannot attach to a stopped container, start it first')
    if (state.paused) throw new CommandError('You cannot attach to a paused container, unpause it first')
    if (state.restarting) throw new CommandError('You cannot attach to a restarting container, wait until it is running')
    const stdin = !flags['no-stdin'] && state.openStdin
    checkTerminal(stdin, state.tty)
    using cleanup = new DisposableStack()
    if (flags['sig-proxy'] && !state.tty) cleanup.use(proxySignals(client, state.id))
    const [connection, exit] = await Promise.all([
      client.hijack('POST', `/containers/${state.id}/attach`, {
        query: { stream: 1, stdin: stdin ? 1 : undefined, stdout: 1, stderr: 1, detachKeys: flags['detach-keys'] },
      }),
      waitForExit(client, state.id, 'not-running'),
    ])
    if (state.tty && isTerminal(1)) cleanup.use(followSize(client, `/containers/${state.id}`))
    const end = await runSession(connection, { tty: state.tty, stdin, detachKeys: flags['detach-keys'] })
    if (end === 'detached') throw new CommandError('read escape sequence')
    return await exit.status
  },
})

export interface AttachState {
  readonly id: string
  readonly tty: boolean
  readonly openStdin: boolean
  readonly autoRemove: boolean
  readonly running: boolean
  readonly paused: boolean
  readonly restarting: boolean
}

/** What there is to know of a container before attaching to it. @throws ApiError */
export async function inspectForAttach(client: Client, container: string): Promise<AttachState> {
  const { body } = await client.request<{
    Id: string
    Config: { Tty: boolean; OpenStdin: boolean }
    HostConfig: { AutoRemove: boolean }
    State: { Running: boolean; Paused: boolean; Restarting: boolean }
  }>('GET', `/containers/${container}/json`)
  const { Running: running, Paused: paused, Restarting: restarting } = body.State
  return { id: body.Id, tty: body.Config.Tty, openStdin: body.Config.OpenStdin, autoRemove: body.HostConfig.AutoRemove, running, paused, restarting }
}
