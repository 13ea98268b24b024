import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { connect, isIP, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Forward } from './forward.ts'
import type { SyslogSettings } from './syslog-options.ts'

/** A connection to whoever takes messages. */
export interface Sender {
  /** Resolves when more may be sent. @throws when the receiver is gone; which of the messages came through is not known */
  send(messages: readonly Buffer[]): Promise<void>
  close(): Promise<void>
}

/** Milliseconds for a connection to be made. */
const connectTime = 10_000

/**
 * Opens the way to a receiver.
 * @throws Error in Go's words: `dial tcp 127.0.0.1:1: connect: connection refused`
 */
export async function openSender(forward: Forward): Promise<Sender> {
  if (forward.kind === 'journald') {
    if (statSync(forward.socket, { throwIfNoEntry: false }) === undefined) throw new Error('journald is not enabled on this host')
    return unixDatagrams(forward.socket)
  }
  const { address } = forward.settings
  switch (address.transport) {
    case 'local':
      return localSyslog()
    case 'unixgram':
      return unixDatagrams(address.path)
    case 'udp':
      return udp(address.host, address.port)
    case 'unix':
      return stream({ transport: 'unix', path: address.path })
    case 'tcp':
    case 'tls':
      return stream({ transport: address.transport, host: address.host, port: address.port }, forward.settings)
  }
}

/** The first of the sockets that srslog looks at; it may be one for datagrams or for a stream. */
async function localSyslog(): Promise<Sender> {
  const path = ['/dev/log', '/var/run/syslog', '/var/run/log'].find((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isSocket() === true)
  if (path === undefined) throw new Error('Unix syslog delivery error')
  let sender = await unixDatagrams(path)
  return {
    async send(messages) {
      try {
        await sender.send(messages)
      } catch (error) {
        if ((error as { errnoName?: string }).errnoName !== 'EPROTOTYPE') throw error
        sender = await stream({ transport: 'unix', path })
        await sender.send(messages)
      }
    },
    close: () => sender.close(),
  }
}

/** Loaded only here: the log worker needs no system calls otherwise. */
async function unixDatagrams(path: string): Promise<Sender> {
  const { sendUnixDatagram } = await import('@engine/linux/unix-datagram')
  return {
    async send(messages) {
      for (const message of messages) {
        for (let wait = 1; ; wait = Math.min(wait * 2, 100)) {
          try {
            sendUnixDatagram(path, message)
            break
          } catch (error) {
            // Its queue is full: it is slow, not gone.
            if ((error as { errnoName?: string }).errnoName !== 'EAGAIN') throw error
            await sleep(wait)
          }
        }
      }
    },
    close: () => Promise.resolve(),
  }
}

async function udp(host: string, port: number): Promise<Sender> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.unref()
  // What an unreachable receiver answers is of no use: datagrams may be lost.
  socket.on('error', () => undefined)
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => reject(dialError('udp', `${host}:${port}`, host, error)))
    socket.connect(port, host, resolve)
  })
  return {
    async send(messages) {
      for (const message of messages) await new Promise<void>((resolve) => socket.send(message, () => resolve()))
    },
    close: () => new Promise((resolve) => socket.close(resolve)),
  }
}

type StreamAddress = { readonly transport: 'tcp' | 'tls'; readonly host: string; readonly port: number } | { readonly transport: 'unix'; readonly path: string }

async function stream(address: StreamAddress, settings?: SyslogSettings): Promise<Sender> {
  const socket = begin(address, settings)
  socket.unref()
  const shown = address.transport === 'unix' ? address.path : `${address.host}:${address.port}`
  await connected(socket, address.transport, shown)
  let gone: Error | undefined
  socket.on('error', (error) => (gone = error)).on('close', () => (gone ??= new Error(`${shown} has closed the connection`))).resume()
  return {
    async send(messages) {
      if (gone !== undefined) throw gone
      if (messages.length === 0 || socket.write(Buffer.concat(messages))) return
      await Promise.race([once(socket, 'drain'), once(socket, 'close')])
      if (gone !== undefined) throw gone
    },
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) return resolve()
        socket.once('close', () => resolve()).end(() => socket.destroySoon())
      }),
  }
}

function begin(address: StreamAddress, settings: SyslogSettings | undefined): Socket {
  if (address.transport === 'unix') return connect(address.path)
  const { host, port } = address
  // An address is no server name (RFC 6066).
  return address.transport === 'tcp' ? connect(port, host) : connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tlsFiles(settings) })
}

async function connected(socket: Socket, transport: 'tcp' | 'tls' | 'unix', shown: string): Promise<void> {
  const timer = setTimeout(() => socket.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })), connectTime).unref()
  try {
    await once(socket, transport === 'tls' ? 'secureConnect' : 'connect')
  } catch (error) {
    throw dialError(transport === 'unix' ? 'unix' : 'tcp', shown, shown.replace(/:\d+$/, ''), error as NodeJS.ErrnoException)
  } finally {
    clearTimeout(timer)
  }
}

function tlsFiles(settings: SyslogSettings | undefined): { ca?: Buffer; cert?: Buffer; key?: Buffer; rejectUnauthorized: boolean } {
  const { ca, certificate, key, verify = true } = settings?.tls ?? {}
  return {
    ...(ca === undefined ? {} : { ca: readPem(ca, (reason) => `could not read CA certificate "${ca}": ${reason}`) }),
    ...(certificate === undefined && key === undefined ? {} : { cert: readPem(certificate ?? '', notLoaded), key: readPem(key ?? '', notLoaded) }),
    rejectUnauthorized: verify,
  }
}

const notLoaded = (reason: string): string => `Could not load X509 key pair: ${reason}`

function readPem(path: string, described: (reason: string) => string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file or directory' : (cause as Error).message
    throw new Error(described(`open ${path}: ${reason}`), { cause })
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused', ENOENT: 'connect: no such file or directory', EACCES: 'connect: permission denied',
  EHOSTUNREACH: 'connect: no route to host', ENETUNREACH: 'connect: network is unreachable', ETIMEDOUT: 'i/o timeout',
}

/** An error as Go's net package words it. */
function dialError(network: string, address: string, host: string, cause: NodeJS.ErrnoException): Error {
  const { code = '' } = cause
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return new Error(`dial ${network}: lookup ${host}: no such host`, { cause })
  return new Error(`dial ${network} ${address}: ${reasons[code] ?? cause.message}`, { cause })
}
