import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { installed, systemdRuns } from './places.mjs'
import { SetupError, run } from './report.mjs'

/** Asks the daemon whether it is there. @param {string} [socketPath] @returns {Promise<boolean>} */
export function answers(socketPath = installed.socket) {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/_ping', timeout: 2000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.on('timeout', () => asked.destroy())
    asked.end()
  })
}

/** The pid of the daemon that runs without systemd, if it does. @returns {number | undefined} */
function backgroundPid() {
  if (!existsSync(installed.pidFile)) return undefined
  const pid = Number(readFileSync(installed.pidFile, 'utf8'))
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'engined' ? pid : undefined
  } catch {
    return undefined
  }
}

/** Starts the installed daemon, or restarts it when its programs have changed; containers go on running.
 * @param {boolean} changed @returns {Promise<string | undefined>} */
export async function startDaemon(changed) {
  const running = await answers()
  if (running && !changed) return 'running'
  if (systemdRuns()) {
    await run('systemctl', ['enable', '--quiet', 'engine.socket', 'engine.service'])
    await run('systemctl', [running ? 'restart' : 'start', 'engine.service'], { hint: 'journalctl -u engine -u engine-shim tells why' })
  } else {
    await stopBackground()
    startBackground()
  }
  for (let i = 0; i < 600; i++) {
    if (await answers()) return undefined
    await sleep(100)
  }
  const log = systemdRuns() ? await run('journalctl', ['-u', 'engine', '-u', 'engine-shim', '-n', '20', '--no-pager']) : readFileSync(installed.log, 'utf8').split('\n').slice(-20).join('\n')
  throw new SetupError(`the daemon does not answer on ${installed.socket}:\n${log}`, systemdRuns() ? 'systemctl status engine' : `see ${installed.log}`)
}

/** A background process in a session of its own: it outlives this shell. */
function startBackground() {
  const log = openSync(installed.log, 'a')
  const child = spawn(join(installed.programs, 'engined.cjs'), ['--pidfile', installed.pidFile], { detached: true, stdio: ['ignore', log, log], cwd: '/' })
  child.unref()
  closeSync(log)
}

/** Ends a daemon that runs without systemd; its containers stay. */
export async function stopBackground() {
  const pid = backgroundPid()
  if (pid === undefined) return
  process.kill(pid, 'SIGTERM')
  for (let i = 0; i < 200 && existsSync(`/proc/${pid}`); i++) await sleep(50)
}
