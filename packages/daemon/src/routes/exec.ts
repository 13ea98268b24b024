import { isAtLeast, RequestError } from '@engine/api'
import { serveAttachment } from '../attachment.ts'
import { SENT, type Handlers } from '../call.ts'

/** Serves exec: /containers/{id}/exec and /exec. */
export const exec: Handlers<'ContainerExec' | 'ExecStart' | 'ExecResize' | 'ExecInspect'> = {
  async ContainerExec({ engine, name, body, version }) {
    const command = body?.Cmd ?? []
    if (body === undefined || command.length === 0) throw new RequestError('No exec command specified')
    return engine.execs.create(name, {
      Cmd: command,
      AttachStdin: body.AttachStdin ?? false,
      AttachStdout: body.AttachStdout ?? false,
      AttachStderr: body.AttachStderr ?? false,
      Tty: body.Tty ?? false,
      DetachKeys: body.DetachKeys || undefined,
      Env: isAtLeast(version, '1.25') ? (body.Env ?? undefined) : undefined,
      User: body.User || undefined,
      WorkingDir: isAtLeast(version, '1.35') ? body.WorkingDir || undefined : undefined,
      Privileged: body.Privileged ?? false,
      ConsoleSize: isAtLeast(version, '1.42') && body.Tty === true ? (body.ConsoleSize ?? undefined) : undefined,
    })
  },

  async ExecStart(call) {
    const { engine, name, body, version } = call
    const tty = body?.Tty ?? false
    const attachment = await engine.execs.start(name, {
      detach: body?.Detach ?? false,
      tty,
      consoleSize: isAtLeast(version, '1.42') && tty ? (body?.ConsoleSize ?? undefined) : undefined,
    })
    if (attachment === undefined) return undefined
    await serveAttachment(call, attachment)
    return SENT
  },

  async ExecResize({ engine, name, query }) {
    await engine.execs.resize(name, query.h, query.w)
  },

  ExecInspect: ({ engine, name }) => engine.execs.inspect(name),
}
