import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { printError } from './output.ts'

/** Asks for a line on the terminal. @param shown whether what is typed is seen */
export async function askLine(question: string, shown: boolean): Promise<string> {
  printError(question)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  // With a terminal readline takes over its editing, and what it would show goes nowhere.
  const lines = createInterface({ input: process.stdin, output: shown ? process.stderr : silent, terminal: !shown })
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('close', () => reject(new Error('unexpected end of input')))
      lines.once('SIGINT', () => process.exit(130))
    })
  } finally {
    lines.removeAllListeners('close')
    lines.close()
    if (!shown) printError('\n')
  }
}
