import type { Client } from '../connection/client.ts'
import { isTerminal } from './output.ts'

/** [height, width] of the terminal on standard output; [0, 0] when there is none. */
export function terminalSize(): [number, number] {
  // Asked first, because process.stdout is not made for nothing.
  return isTerminal(1) ? [process.stdout.rows, process.stdout.columns] : [0, 0]
}

/**
 * Gives the process's terminal the size of ours, now and at every change, until disposed.
 * @param path `/containers/<id>` or `/exec/<id>`
 */
export function followSize(client: Client, path: string): Disposable {
  const resize = (): void => {
    const [h, w] = terminalSize()
    // A size that cannot be set (the process is gone, or not there yet) is no reason to disturb the session.
    if (h > 0) client.request('POST', `${path}/resize`, { query: { h, w } }).catch(() => undefined)
  }
  resize()
  process.stdout.on('resize', resize)
  return {
    [Symbol.dispose]() {
      process.stdout.off('resize', resize)
    },
  }
}
