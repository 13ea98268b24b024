import { realpathSync } from 'node:fs'
import { returnLargePieces } from '@engine/linux/memory'
import { EngineError } from '@engine/linux'
import type { Engine, EngineOptions } from '@engine/engine'
import about from '../package.json' with { type: 'json' }
import { engineOptions, loadConfig, type DaemonConfig } from './config.ts'
import { startDaemon, tearDown } from './daemon.ts'
import { helpText, parseFlags } from './flags.ts'
import { createLog } from './log.ts'

/** The engine, as a daemon needs it. */
export interface EngineFactory {
  /** Opens the engine on its data. */
  openEngine(options: EngineOptions): Promise<Engine>
  /** Takes away what an engine with these options has made on the host, but for its data; no daemon may be running. */
  teardown(options: EngineOptions): Promise<void>
}

/** The program engined: does what the command line says. Sets the process's exit code. */
export function run(argv: readonly string[], factory: EngineFactory): void {
  act(argv, factory).catch((error: unknown) => {
    const message = error instanceof EngineError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.stderr.write(`engined: ${message}\n`)
    if (error instanceof EngineError && error.hint !== undefined) process.stderr.write(`hint: ${error.hint}\n`)
    process.exit(1)
  })
}

async function act(argv: readonly string[], factory: EngineFactory): Promise<void> {
  const line = parseFlags(argv)
  if (line.action === 'help') return void process.stdout.write(helpText())
  if (line.action === 'version') return void process.stdout.write(`engined version ${about.version}\n`)
  const config = loadConfig(line)
  if (line.action === 'validate') {
    for (const warning of config.warnings) process.stderr.write(`warning: ${warning}\n`)
    return void process.stdout.write('configuration OK\n')
  }
  if (process.geteuid?.() !== 0) throw new EngineError('forbidden', 'engined needs to be started with root privileges')
  process.title = 'engined'
  process.umask(0o022)
  returnLargePieces()
  const program = realpathSync(process.argv[1] ?? '.')
  if (line.action === 'teardown') await tearDown(config, (log) => factory.teardown(engineOptions(config, program, log)))
  else await serve(config, program, factory)
}

async function serve(config: DaemonConfig, program: string, { openEngine }: EngineFactory): Promise<void> {
  const log = createLog({ level: config.debug ? 'debug' : config['log-level'], format: config['log-format'] })
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'engined ends: an error that nobody caught')
    process.exit(1)
  })
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a failure that nobody waited for'))
  // Asked to end while it starts: it does not begin to serve.
  const early = Promise.withResolvers<NodeJS.Signals>()
  let end = (signal: NodeJS.Signals): void => early.resolve(signal)
  process.on('SIGTERM', (signal) => end(signal))
  process.on('SIGINT', (signal) => end(signal))
  // The configuration is read at the start only; without a listener the signal would end the daemon.
  process.on('SIGHUP', () => log.warn('SIGHUP: there is nothing to reload; restart engined, containers go on'))

  const daemon = await startDaemon(config, program, log, openEngine)
  let ending = false
  end = (signal) => {
    // Asked twice: at once.
    if (ending) process.exit(1)
    ending = true
    log.info({ signal }, 'asked to end')
    daemon.shutDown().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'shutting down failed')
        process.exit(1)
      },
    )
  }
  early.promise.then((signal) => end(signal)).catch(() => undefined)
}
