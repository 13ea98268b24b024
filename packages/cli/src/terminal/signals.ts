import type { Client } from '../connection/client.ts'

/** What is passed on. SIGWINCH has its own way (size.ts); SIGCHLD, SIGPIPE and SIGURG are this process's own business. */
const proxied: readonly NodeJS.Signals[] = [
  'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGTERM', 'SIGCONT', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU', 'SIGIO', 'SIGPWR', 'SIGVTALRM',
]

/** Sends the signals that this process gets on to the container, until disposed. */
export function proxySignals(client: Client, container: string): Disposable {
  const handlers = proxied.map((signal): [NodeJS.Signals, () => void] => [signal, () => {
    // The container may have ended, or not begun: then the signal is for nobody, as with docker.
    client.request('POST', `/containers/${container}/kill`, { query: { signal: signal.slice(3) } }).catch(() => undefined)
  }])
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return {
    [Symbol.dispose]() {
      for (const [signal, handler] of handlers) process.off(signal, handler)
    },
  }
}
