import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { installed, restartPending, systemdRuns } from './places.mjs'
import { SetupError, pause, run } from './report.mjs'
import { comm, socketOwners } from './socket-owners.mjs'

/** Milliseconds that the daemon may take until it answers, and until it has ended; slow machines are met. */
const patience = 120_000

/** Asks the daemon whether it is there. @returns {Promise<boolean>} */
export function answers() {
  return new Promise((resolve) => {
    const asked = request({ socketPath: installed.socket, path: '/_ping', timeout: 30_000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    asked.on('error', () => resolve(false))
    asked.on('timeout', () => asked.destroy())
    asked.end()
  })
}

/** Starts the installed daemon, or restarts it when programs or units have been replaced; containers go on running.
 * @returns {Promise<string | undefined>}
 * @throws {SetupError} */
export async function startDaemon() {
  refuseForeignSocket()
  const upgrade = existsSync(restartPending)
  const running = await daemonPid() !== undefined && (await answers())
  if (running && !upgrade) return 'running'
  if (systemdRuns()) await startUnits(running)
  else await startInBackground()
  rmSync(restartPending, { force: true })
  return running ? 'restarted; containers go on' : undefined
}

/** The installed daemon's pid, if it runs. @returns {Promise<number | undefined>} */
async function daemonPid() {
  if (!systemdRuns()) return backgroundPid()
  const pid = Number(await run('systemctl', ['show', '-P', 'MainPID', 'engine.service']))
  return pid > 0 ? pid : undefined
}

/** The pid of the daemon that runs without systemd, if it does. @returns {number | undefined} */
function backgroundPid() {
  if (!existsSync(installed.pidFile)) return undefined
  const pid = Number(readFileSync(installed.pidFile, 'utf8'))
  return comm(pid) === 'engined' ? pid : undefined
}

/** Another program at our socket would be taken for the daemon. @throws {SetupError} */
export function refuseForeignSocket() {
  const owners = socketOwners(installed.socket)
  const own = systemdRuns() ? 1 : backgroundPid()
  if (owners.length === 0 || owners.some(({ pid }) => pid === own)) return
  const who = owners.map(({ pid, name }) => `${name} (pid ${pid})`).join(', ')
  throw new SetupError(`Another program listens on ${installed.socket}: ${who}`, 'end it, or give it another socket (engined --host), and repeat the command')
}

/** @param {boolean} running */
async function startUnits(running) {
  const hint = 'what journalctl -u engine -u engine-shim says of it is above; when its cause is gone, repeat the command'
  await run('systemctl', ['enable', '--quiet', 'engine.socket', 'engine.service'])
  // A start that failed may have been tried too often for systemd to try again.
  await run('systemctl', ['reset-failed', 'engine.service', 'engine.socket', 'engine-shim.service']).catch(() => undefined)
  try {
    await run('systemctl', ['start', 'engine.socket'])
    await run('systemctl', [running ? 'restart' : 'start', 'engine.service'])
    if (await answersWithin(() => true)) return
  } catch (error) {
    const journal = await run('journalctl', ['-u', 'engine', '-u', 'engine-shim', '-u', 'engine.socket', '-n', '20', '--no-pager', '-o', 'cat'])
    throw error instanceof SetupError ? new SetupError(`The daemon does not start:\n${journal.trimEnd()}`, hint) : error
  }
  throw new SetupError(`The daemon runs, but does not answer on ${installed.socket}.`, 'systemctl status engine')
}

async function startInBackground() {
  await stopBackground()
  const logged = existsSync(installed.log) ? statSync(installed.log).size : 0
  const child = spawnDaemon()
  let ended = false
  child.once('exit', () => (ended = true))
  child.once('error', () => (ended = true))
  if (await answersWithin(() => !ended)) return
  const said = readFileSync(installed.log).subarray(logged).toString().trimEnd().split('\n').slice(-20).join('\n')
  throw new SetupError(`The daemon ${ended ? 'has ended' : `does not answer on ${installed.socket}`}:\n${said}`, `its log is ${installed.log}; when the cause is gone, repeat the command`)
}

/** A process in a session of its own, which outlives this shell, with an environment of its own as a service has it. */
function spawnDaemon() {
  const log = openSync(installed.log, 'a', 0o640)
  const child = spawn(join(installed.programs, 'engined.cjs'), ['--pidfile', installed.pidFile], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', UV_THREADPOOL_SIZE: '4', MALLOC_ARENA_MAX: '2' },
  })
  child.unref()
  closeSync(log)
  return child
}

/** Waits until the daemon answers. @param {() => boolean} alive says whether that can still come @returns {Promise<boolean>} */
async function answersWithin(alive) {
  for (const end = Date.now() + patience; Date.now() < end && alive(); ) {
    if (await answers()) return true
    await pause(50)
  }
  return false
}

/** Ends a daemon that runs without systemd; its containers go on.
 * @throws {SetupError} when it does not end */
export async function stopBackground() {
  const pid = backgroundPid()
  if (pid === undefined) return
  process.kill(pid, 'SIGTERM')
  for (const end = Date.now() + patience; comm(pid) === 'engined'; ) {
    if (Date.now() > end) throw new SetupError(`engined (pid ${pid}) does not end.`, `${installed.log} may tell why; kill -9 ${pid} ends it, and containers go on`)
    await pause(20)
  }
}
