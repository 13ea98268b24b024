import { runCommandLine } from './command-line.ts'
import { printError } from './terminal/output.ts'

void runCommandLine(process.argv.slice(2)).then(
  // Output is written synchronously: nothing is lost by not waiting for connections to close.
  (status) => process.exit(status),
  (error: unknown) => {
    printError(`engine: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    process.exit(125)
  },
)
