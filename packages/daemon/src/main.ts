import { realpathSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { openEngine, teardown } from '@engine/engine'
import about from '../package.json' with { type: 'json' }
import { claimedTeardown, startDaemon } from './daemon.ts'
import { engineOptions, loadConfig, type DaemonConfig } from './config.ts'
import { helpText, parseFlags } from './flags.ts'
import { createLog } from './log.ts'

/** The program engined. */
async function main(argv: readonly string[]): Promise<void> {
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
  const program = realpathSync(process.argv[1] ?? '.')
  if (line.action === 'teardown') return claimedTeardown(config, (log) => teardown(engineOptions(config, program, log)))
  await serve(config, program)
}

async function serve(config: DaemonConfig, program: string): Promise<void> {
  const log = createLog({ level: config.debug ? 'debug' : config['log-level'], format: config['log-format'] })
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'engined ends: an error that nobody caught')
    process.exit(1)
  })
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'a failure that nobody waited for'))
  const daemon = await startDaemon(config, program, log, openEngine)

  let ending = false
  const end = (signal: NodeJS.Signals): void => {
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
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  // A reload has nothing to reload: without a listener it would end the daemon.
  process.on('SIGHUP', () => log.warn('SIGHUP: the configuration is read at the start only'))
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof EngineError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.stderr.write(`engined: ${message}\n`)
  if (error instanceof EngineError && error.hint !== undefined) process.stderr.write(`hint: ${error.hint}\n`)
  process.exitCode = 1
})
