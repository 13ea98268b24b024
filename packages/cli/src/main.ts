import { runCommandLine } from './command-line.ts'
import { printError } from './terminal/output.ts'

/** Milliseconds after which a command is one that goes on. */
const LONG = 200

/*
 * At its end Node waits for V8's threads, and one that compiles (Sparkplug) may be waiting for the main thread to collect garbage: a
 * `load` of a gigabyte has hung so for ever (nodejs/node issue 54918, open). From here on such code is compiled where it runs. Most
 * commands are over before and have no garbage to collect; to them the flag would cost a tenth of their time.
 */
setTimeout(() => process.getBuiltinModule('node:v8').setFlagsFromString('--no-concurrent-sparkplug'), LONG).unref()

void runCommandLine(process.argv.slice(2)).then(
  // Output is written synchronously: nothing is lost by not waiting for connections to close.
  (status) => process.exit(status),
  (error: unknown) => {
    printError(`engine: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(125)
  },
)
