import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Engine, EngineOptions } from '@engine/engine'
import { QuietCollector } from '@engine/linux/memory'
import type { Logger } from 'pino'
import { claim } from './claim.ts'
import { engineOptions, type DaemonConfig } from './config.ts'
import { assertHijack } from './hijack.ts'
import { listenAll } from './listen.ts'
import { serveMetrics } from './metrics.ts'
import { writePidfile } from './pidfile.ts'
import { buildApi } from './server.ts'
import { shutDown, tellSystemd } from './shutdown.ts'

/** A daemon that serves. */
export interface RunningDaemon {
  /** Ends its service; containers stop or go on as the table over `shutDown` says. */
  shutDown(): Promise<void>
}

/**
 * Starts a daemon: claims what is its own, opens the engine, serves the API. What was begun is undone when a step fails.
 * @param program path of the running engined
 * @param openEngine opens the engine on its data
 * @throws EngineError
 */
export async function startDaemon(
  config: DaemonConfig,
  program: string,
  log: Logger,
  openEngine: (options: EngineOptions) => Promise<Engine>,
): Promise<RunningDaemon> {
  await using undo = new AsyncDisposableStack()
  for (const warning of config.warnings) log.warn(warning)
  await assertHijack()
  claimNames(config, undo)
  if (config.pidfile !== undefined) undo.defer(writePidfile(config.pidfile))

  const engine = await openEngine(engineOptions(config, program, (level, fields, message) => log[level](fields, message)))
  let open = true
  undo.defer(async () => (open ? engine.close({ stopContainers: false }) : undefined))

  const closing = new AbortController()
  const metrics = config['metrics-addr'] === undefined ? undefined : await serveMetrics(config['metrics-addr'], engine)
  if (metrics !== undefined) undo.defer(() => metrics.close())
  const { Version: serverVersion } = await engine.system.version()
  const quiet = undo.use(new QuietCollector())
  const api = await buildApi({ engine, serverVersion, closing: closing.signal }, log, (operation, status, seconds) => {
    quiet.disturb()
    metrics?.observe(operation, status, seconds)
  })
  const listening = await listenAll(config, (tls) => api.server(tls))
  log.info({ hosts: config.hosts }, 'API listening')
  tellSystemd(log, 'READY=1')
  quiet.disturb()

  const kept = undo.move()
  return {
    async shutDown() {
      await using _rest = kept
      await shutDown({
        engine,
        servers: listening.servers,
        stopListening: () => listening.close(),
        endStreams: () => closing.abort(),
        liveRestore: config['live-restore'],
        timeout: config['shutdown-timeout'],
        log,
      })
      open = false
    },
  }
}

/** Where daemons claim names that are the whole host's: not in an exec-root, of which each has its own. */
const NAMES = '/run/engined'

/**
 * Claims what two daemons must not share: an exec-root, and so a shim; and names in the kernel, of which each believes that whatever
 * it does not know is left over from itself. The data-root is locked by the engine.
 */
function claimNames(config: DaemonConfig, undo: AsyncDisposableStack): void {
  const directory = config['exec-root']
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  mkdirSync(NAMES, { recursive: true, mode: 0o700 })
  const own: readonly (readonly [file: string, what: string])[] = [
    [join(directory, 'engined.lock'), `exec-root ${directory}`],
    [join(NAMES, `bridge-${config.bridge}`), `bridge ${config.bridge}`],
    [join(NAMES, `table-${config['nftables-table']}`), `nftables table ${config['nftables-table']}`],
    [join(NAMES, `cgroup${config['cgroup-parent'].replaceAll('/', '-')}`), `cgroup parent ${config['cgroup-parent']}`],
  ]
  for (const [file, what] of own) {
    const owned = claim(file, what)
    undo.defer(() => owned.release())
  }
}

/**
 * Takes away what a daemon with this configuration has made on the host, but for its data-root. No such daemon may be running.
 * @param teardown the engine's part
 * @throws EngineError conflict when one is running
 */
export async function tearDown(config: DaemonConfig, teardown: (log: EngineOptions['log']) => Promise<void>): Promise<void> {
  await using undo = new AsyncDisposableStack()
  claimNames(config, undo)
  await teardown((level, fields, message) => {
    if (level === 'error' || level === 'warn') process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
  })
  for (const host of config.listen) if (host.kind === 'unix') rmSync(host.path, { force: true })
  if (config.pidfile !== undefined) rmSync(config.pidfile, { force: true })
}
