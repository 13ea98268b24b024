// npm run uninstall: takes away what npm start put outside the checkout. Containers are stopped and removed.
// With --keep-data (npm run uninstall -- --keep-data) images, volumes and the database stay in /var/lib/engine.
import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { checkMachine } from './steps/debian.mjs'
import { answers, refuseForeignSocket, stopBackground } from './steps/daemon.mjs'
import { delegatedCgroup, installed, restartPending, systemdRuns } from './steps/places.mjs'
import { removeManPages } from './steps/man-pages.mjs'
import { SetupError, program, run, step } from './steps/report.mjs'

const keepData = process.argv.includes('--keep-data')

await program(async () => {
  checkMachine()
  const unknown = process.argv.slice(2).find((argument) => argument !== '--keep-data')
  if (unknown !== undefined) throw new SetupError(`unknown argument ${unknown}`, 'npm run uninstall [-- --keep-data]')
  refuseForeignSocket()
  await step('containers', removeContainers)
  await step('daemon', stopDaemon)
  await step('shim, mounts, network, cgroups', tearDown)
  await step('systemd units', removeUnits)
  await step('programs and commands', removePrograms)
  await step('data', removeData)
})

/** @returns {Promise<string | undefined>} */
async function removeContainers() {
  const engine = join(installed.programs, 'engine.cjs')
  if (!existsSync(engine) || !(await answers())) return 'no daemon'
  const ids = (await run(engine, ['ps', '-aq'])).split('\n').filter((id) => id !== '')
  if (ids.length > 0) await run(engine, ['rm', '-f', ...ids])
  return `${ids.length} removed`
}

/** @returns {Promise<string | undefined>} */
async function stopDaemon() {
  if (!systemdRuns()) return stopBackground()
  const units = installed.units.filter((path) => existsSync(path)).map((path) => basename(path))
  if (units.length === 0) return 'not installed'
  // The socket first, which would start the daemon again. With the containers' unit everything else ends.
  for (const unit of ['engine.socket', 'engine-containers.service', 'engine.slice']) if (units.includes(unit)) await run('systemctl', ['stop', unit])
  return undefined
}

/** @returns {Promise<string | undefined>} */
async function tearDown() {
  const engined = join(installed.programs, 'engined.cjs')
  if (!existsSync(engined)) return 'not installed'
  await run(engined, systemdRuns() ? ['--teardown', '--cgroup-parent', delegatedCgroup] : ['--teardown', '--pidfile', installed.pidFile])
  return undefined
}

/** @returns {Promise<string | undefined>} */
async function removeUnits() {
  const units = installed.units.filter((path) => existsSync(path))
  if (units.length === 0) return 'none'
  await run('systemctl', ['disable', '--quiet', ...units.map((path) => basename(path))]).catch(() => undefined)
  for (const path of units) rmSync(path, { force: true })
  await run('systemctl', ['daemon-reload'])
  await run('systemctl', ['reset-failed', ...units.map((path) => basename(path))]).catch(() => undefined)
  return undefined
}

function removePrograms() {
  removeManPages()
  const { programs, commands, log, run: runtime, socket, pidFile, names } = installed
  const files = [programs, `${programs}.new`, `${programs}.old`, restartPending, ...commands, ...commands.map((path) => `${path}.new`), log, runtime, socket, `${socket}.lock`, pidFile]
  const there = files.filter((path) => existsSync(path) || commands.includes(path))
  for (const path of there) rmSync(path, { recursive: true, force: true })
  // Claims of daemons; those of others stay.
  if (existsSync(names) && readdirSync(names).length === 0) rmdirSync(names)
}

function removeData() {
  if (keepData) return `kept in ${installed.data}`
  rmSync(installed.data, { recursive: true, force: true })
  return undefined
}
