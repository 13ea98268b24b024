import type { ReadStream } from 'node:tty'

/**
 * Puts the terminal into raw mode until disposed. Node itself restores the terminal when the process exits or dies of SIGINT or
 * SIGTERM; SIGHUP and SIGQUIT are turned into an exit here.
 */
export async function rawMode(terminal: ReadStream): Promise<Disposable> {
  terminal.setRawMode(true)
  await outputRaw()
  const exit = { SIGHUP: () => process.exit(129), SIGQUIT: () => process.exit(131) }
  process.on('SIGHUP', exit.SIGHUP)
  process.on('SIGQUIT', exit.SIGQUIT)
  return {
    [Symbol.dispose]() {
      process.off('SIGHUP', exit.SIGHUP)
      process.off('SIGQUIT', exit.SIGQUIT)
      terminal.setRawMode(false)
    },
  }
}

/**
 * Node's raw mode leaves output processing on, which makes a program's bare line feed (cursor down, in an editor) start a new line.
 * stty(1) turns it off; setRawMode(false) puts everything back. Without stty all but that works.
 */
async function outputRaw(): Promise<void> {
  const { spawn } = process.getBuiltinModule('node:child_process')
  await new Promise<void>((resolve) => {
    const stty = spawn('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] })
    stty.on('error', () => resolve())
    stty.on('close', () => resolve())
  })
}
