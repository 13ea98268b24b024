import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, unlinkSync } from 'node:fs'
import type { Server } from 'node:http'
import type { ServerOptions as TlsOptions } from 'node:https'
import { connect, type ListenOptions } from 'node:net'
import { dirname, join } from 'node:path'
import { EngineError } from '@engine/linux'
import { claim, type Claim } from './claim.ts'
import type { DaemonConfig } from './config.ts'
import type { Host } from './config-values.ts'
import { passedSockets } from './socket-activation.ts'

/** Bytes of a unix socket's path without its NUL (unix(7), sun_path). */
const LONGEST_PATH = 107

/** The sockets that a daemon listens on. */
export interface Listening {
  readonly servers: readonly Server[]
  /** Stops accepting and takes the unix sockets away; connections go on. */
  close(): void
}

/**
 * Listens on every configured host. When one fails, none is kept.
 * @param serverFor makes a server for each
 * @throws EngineError
 */
export async function listenAll(config: DaemonConfig, serverFor: (tls?: TlsOptions) => Server): Promise<Listening> {
  const servers: Server[] = []
  const undo: (() => void)[] = []
  const close = (): void => {
    for (const server of servers) server.close()
    for (const step of undo.splice(0).reverse()) step()
  }
  try {
    for (const host of config.listen.flatMap(expand)) {
      const server = serverFor(host.kind === 'tcp' ? tlsOptions(config) : undefined)
      servers.push(server)
      if (host.kind === 'unix') undo.push(await listenUnix(server, host.path, config.group))
      else if (host.kind === 'tcp') await listen(server, { host: host.host, port: host.port, exclusive: true })
      else await listen(server, { fd: host.fd })
    }
  } catch (error) {
    close()
    throw error
  }
  return { servers, close }
}

type Expanded = Exclude<Host, { kind: 'fd' }> | { readonly kind: 'fd'; readonly fd: number }

/** `fd://` as every socket that systemd has passed. */
function expand(host: Host): Expanded[] {
  if (host.kind !== 'fd') return [host]
  const passed = passedSockets()
  if (passed.length === 0) throw new EngineError('invalid-argument', 'invalid configuration: hosts: fd:// was asked for, but systemd has passed no sockets', { hint: 'start engine.socket, or use unix:///run/engine.sock' })
  if (host.fd === undefined) return passed.map((fd) => ({ kind: 'fd', fd }))
  if (!passed.includes(host.fd)) throw new EngineError('invalid-argument', `invalid configuration: hosts: systemd has not passed a socket ${host.fd}`)
  return [{ kind: 'fd', fd: host.fd }]
}

/**
 * Listens on a unix socket, mode 0660, root and `group`. A socket that another process listens on is never taken: daemons of ours hold
 * a lock beside it, others are asked. A stale one is replaced by rename(2), so that clients meet the old or the new one, never none.
 * @returns what takes it away again
 */
async function listenUnix(server: Server, path: string, group: string | undefined): Promise<() => void> {
  const directory = dirname(path)
  const temporary = join(directory, `.engined-${process.pid}`)
  for (const one of [path, temporary]) {
    if (Buffer.byteLength(one) > LONGEST_PATH) throw new EngineError('invalid-argument', `invalid configuration: hosts: ${path} is too long for a unix socket`)
  }
  mkdirSync(directory, { recursive: true, mode: 0o755 })
  const gid = groupId(group)
  const owned: Claim = claim(`${path}.lock`, `socket ${path}`)
  try {
    const there = lstatSync(path, { throwIfNoEntry: false })
    if (there !== undefined && !there.isSocket()) throw new EngineError('conflict', `cannot listen on ${path}: it exists and is no socket`)
    if (there !== undefined && (await answers(path))) throw new EngineError('conflict', `cannot listen on ${path}: another program does`)
    rmSync(temporary, { force: true })
    // Nobody gets in before mode and owner are set.
    const before = process.umask(0o177)
    try {
      await listen(server, { path: temporary }, () => process.umask(before))
    } finally {
      process.umask(before)
    }
    chownSync(temporary, 0, gid)
    chmodSync(temporary, 0o660)
    const { ino } = lstatSync(temporary)
    renameSync(temporary, path)
    return () => {
      if (lstatSync(path, { throwIfNoEntry: false })?.ino === ino) unlinkSync(path)
      owned.release()
    }
  } catch (error) {
    rmSync(temporary, { force: true })
    owned.release()
    throw error
  }
}

/** @param bound is called as soon as the socket is bound */
function listen(server: Server, options: ListenOptions | { readonly fd: number }, bound: () => void = () => undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(new EngineError('internal', `cannot listen: ${error.message}`, { cause: error }))
    server.once('error', failed)
    server.listen(options, () => {
      server.removeListener('error', failed)
      resolve()
    })
    bound()
  })
}

/** Whether somebody listens on a unix socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Refused, or gone meanwhile. Any other error (no rights, a full queue) means that somebody is there.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
  })
}

/** The id of a group by its name or number; without one `engine` if there is such a group, else root's. */
function groupId(group: string | undefined): number {
  const name = group ?? 'engine'
  if (/^\d+$/.test(name)) return Number(name)
  const line = readFileSync('/etc/group', 'utf8').split('\n').find((one) => one.startsWith(`${name}:`))
  if (line !== undefined) return Number(line.split(':')[2])
  if (group === undefined || group === 'root') return 0
  throw new EngineError('invalid-argument', `invalid configuration: group: there is no group ${group}`, { hint: `groupadd --system ${group}` })
}

function tlsOptions(config: DaemonConfig): TlsOptions | undefined {
  const { tlscert, tlskey, tlscacert } = config
  if (config.tls !== true || tlscert === undefined || tlskey === undefined) return undefined
  const read = (key: string, file: string): Buffer => {
    try {
      return readFileSync(file)
    } catch (cause) {
      throw new EngineError('invalid-argument', `invalid configuration: ${key}: ${(cause as Error).message}`, { cause })
    }
  }
  return {
    cert: read('tlscert', tlscert),
    key: read('tlskey', tlskey),
    minVersion: 'TLSv1.2',
    ...(tlscacert === undefined ? {} : { ca: read('tlscacert', tlscacert) }),
    requestCert: config.tlsverify,
    rejectUnauthorized: config.tlsverify,
  }
}
