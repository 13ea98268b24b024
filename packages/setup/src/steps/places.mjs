import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout. */
export const root = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))))
export const dist = join(root, 'dist')
/** The pinned Node, once dependencies are installed. */
export const pinnedNode = join(root, 'node_modules/.bin/node')

/** Everything that `npm start` puts outside the checkout; the README lists the same, and `npm run uninstall` removes it. */
export const installed = {
  programs: '/usr/local/lib/engine',
  commands: ['/usr/local/bin/engine', '/usr/local/bin/engined'],
  man: '/usr/local/share/man/man1',
  units: ['engine.socket', 'engine.service', 'engine-shim.service', 'engine-containers.service', 'engine.slice'].map((name) => `/etc/systemd/system/${name}`),
  log: '/var/log/engined.log',
  data: '/var/lib/engine',
  run: '/run/engine',
  names: '/run/engined',
  socket: '/run/engine.sock',
  pidFile: '/run/engined.pid',
}

/** There from before programs or units are replaced until the daemon runs with them, however often that is broken off. */
export const restartPending = `${installed.programs}.pending`

/** Containers' cgroups as engine.service has them; without systemd it is engined's default. */
export const delegatedCgroup = '/engine.slice/engine-containers.service'

/** Whether systemd is the host's init (sd_booted(3)). */
export function systemdRuns() {
  return existsSync('/run/systemd/system')
}
