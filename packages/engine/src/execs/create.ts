import { randomBytes } from 'node:crypto'
import { EngineError } from '@engine/linux'
import { openRoot } from '@engine/linux/paths'
import { resolveUser, type ResolvedUser } from '@engine/runtime'
import type { Container } from '../containers/container.ts'
import { notRunning } from '../containers/errors.ts'
import { isRunning } from '../containers/state.ts'
import type { EngineContext } from '../context.ts'
import type { CreateExec } from '../interface.ts'
import { parseDetachKeys } from '../logs/index.ts'

/** Notes a process to be run in a running container. @throws EngineError conflict when it is not running or paused, invalid-argument */
export async function createExec(engine: EngineContext, ref: string, request: CreateExec, options: { readonly transient: boolean } = { transient: false }): Promise<{ Id: string }> {
  const container = engine.containers.find(ref)
  if (request.Cmd.length === 0) throw new EngineError('invalid-argument', 'No exec command specified')
  refuseUnlessRunning(container, ref)
  try {
    parseDetachKeys(request.DetachKeys)
  } catch (cause) {
    throw new EngineError('invalid-argument', `Invalid escape keys (${request.DetachKeys}) provided`, { cause })
  }
  execUser(container, request)
  const exec = engine.execs.create(randomBytes(32).toString('hex'), container.id, request, options.transient)
  engine.events.publish('container', `exec_create: ${execAction(request)}`, container.id, container.attributes({ execID: exec.id }))
  return { Id: exec.id }
}

/** The command as events name it: the program, a space, the arguments. */
export function execAction({ Cmd }: CreateExec): string {
  return `${Cmd[0]} ${Cmd.slice(1).join(' ')}`
}

export function refuseUnlessRunning(container: Container, ref: string): void {
  if (!isRunning(container.state)) throw notRunning(container.id)
  if (container.state.status === 'paused') throw new EngineError('conflict', `Container ${ref} is paused, unpause the container before exec`)
  if (container.state.status === 'restarting') throw new EngineError('conflict', `Container ${container.id} is restarting, wait until the container is running`)
}

/** Looks the user up in what the container sees as /etc/passwd. @throws EngineError in Docker's words */
export function execUser(container: Container, request: CreateExec): ResolvedUser {
  using root = openRoot(`/proc/${container.state.pid}/root`)
  return resolveUser(root.fd, request.User || container.record.config.User, container.record.hostConfig.GroupAdd ?? [])
}
