import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Engine } from '@engine/engine'
import type { Logger } from 'pino'
import { hijackedSockets } from './hijack.ts'
import { notifySystemd } from './systemd-notify.ts'

/** How long requests that are being served may take when the daemon ends but containers do not. */
const GRACE = 3000

export interface ShutdownOptions {
  readonly engine: Engine
  readonly servers: readonly Server[]
  /** Stops accepting. */
  readonly stopListening: () => void
  /** Ends streams that would never end (events, followed logs). */
  readonly endStreams: () => void
  /** Configuration `live-restore`. */
  readonly liveRestore: boolean
  /** Seconds, configuration `shutdown-timeout`. */
  readonly timeout: number
  readonly log: Logger
}

/**
 * Ends the daemon's service. Whether its containers end too:
 *
 * | how                                          | containers            |
 * |----------------------------------------------|-----------------------|
 * | `systemctl stop engine`, the host's shutdown | stopped, as by `stop` |
 * | `systemctl restart engine`, an upgrade       | go on                 |
 * | SIGTERM or SIGINT without systemd            | go on                 |
 * | any of these with `live-restore: false`      | stopped               |
 * | SIGKILL, a crash                             | go on                 |
 *
 * systemd sends the same SIGTERM for stop and restart; they differ in the type of the unit's job, which systemd is asked for.
 */
export async function shutDown(options: ShutdownOptions): Promise<void> {
  const { engine, servers, log } = options
  const stopContainers = !options.liveRestore || (await isStopJob(log))
  log.info({ stopContainers }, 'shutting down')
  // systemd waits as long as containers may take, whatever the unit says.
  const allowed = stopContainers ? Math.max(options.timeout, 0) + 30 : 30
  tellSystemd(log, `STOPPING=1\nEXTEND_TIMEOUT_USEC=${allowed * 1_000_000}`)
  options.stopListening()
  // Clients of containers that stop see their last output.
  if (!stopContainers) {
    endStreams(options)
    await idle(servers)
  }
  await engine.close({ stopContainers })
  endStreams(options)
  for (const server of servers) server.closeAllConnections()
}

function endStreams(options: ShutdownOptions): void {
  options.endStreams()
  for (const socket of hijackedSockets) socket.destroySoon()
}

/** Says something to systemd; that it does not listen must not keep the daemon from ending. */
export function tellSystemd(log: Logger, state: string): void {
  try {
    notifySystemd(state)
  } catch (error) {
    log.warn({ err: error }, 'systemd could not be told')
  }
}

/** Waits until no request is being served any more, or for the grace period. */
async function idle(servers: readonly Server[]): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.getConnections((_error, count) => (count === 0 ? resolve() : server.once('close', resolve)))))
  const { promise: patience, resolve: giveUp } = Promise.withResolvers<void>()
  const timeout = setTimeout(giveUp, GRACE)
  // Connections that are kept alive become idle one by one.
  const sweep = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 20)
  await Promise.race([Promise.all(closed), patience])
  clearTimeout(timeout)
  clearInterval(sweep)
}

/** Whether systemd is at stopping our unit, and not at restarting it. */
async function isStopJob(log: Logger): Promise<boolean> {
  if (process.env['INVOCATION_ID'] === undefined) return false
  const unit = unitOf(readFileSync('/proc/self/cgroup', 'utf8'))
  if (unit === undefined) return false
  const jobs = await new Promise<string | undefined>((resolve) => {
    execFile('systemctl', ['list-jobs', '--plain', '--no-legend', '--no-pager', '--full'], { timeout: 5000 }, (error, stdout) => resolve(error === null ? stdout : undefined))
  })
  if (jobs === undefined) {
    log.warn('systemd does not say why it stops this service: containers are left running')
    return false
  }
  return jobType(jobs, unit) === 'stop'
}

/** The service that a process belongs to, from /proc/<pid>/cgroup: `engine.service`. */
export function unitOf(cgroup: string): string | undefined {
  // systemd's own hierarchy: the unified one, or name=systemd on hosts with cgroup v1.
  const lines = cgroup.split('\n').filter((line) => /^\d+:(name=systemd)?:/.test(line))
  return lines.map((line) => /\/([^/]+\.service)(?:\/|$)/.exec(line)?.[1]).find((unit) => unit !== undefined)
}

/** The type of a unit's job in the output of `systemctl list-jobs`: `37 engine.service restart running`. */
export function jobType(jobs: string, unit: string): string | undefined {
  return jobs.split('\n').map((line) => line.trim().split(/\s+/)).find((fields) => fields[1] === unit)?.[2]
}
