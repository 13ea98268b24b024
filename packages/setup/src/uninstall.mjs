// npm run uninstall: takes away what npm start put outside the checkout. Containers are stopped and removed.
// With --keep-data images, volumes and the database stay in /var/lib/engine.
import { existsSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { answers, stopBackground } from './steps/daemon.mjs'
import { installed, systemdRuns } from './steps/places.mjs'
import { program, run, step } from './steps/report.mjs'

const keepData = process.argv.includes('--keep-data')

await program(async () => {
  await step('containers', removeContainers)
  await step('daemon and shim', stopServices)
  await step('mounts, network, cgroups', tearDown)
  await step('programs and commands', () => {
    for (const path of [installed.programs, ...installed.commands, installed.configuration, installed.log, installed.run]) rmSync(path, { recursive: true, force: true })
  })
  await step('data', () => {
    if (keepData) return `kept in ${installed.data}`
    rmSync(installed.data, { recursive: true, force: true })
    return undefined
  })
})

/** @returns {Promise<string | undefined>} */
async function removeContainers() {
  if (!(await answers()) || !existsSync(installed.commands[0] ?? '')) return 'no daemon'
  const ids = (await run('engine', ['ps', '-aq'])).split('\n').filter((id) => id !== '')
  if (ids.length > 0) await run('engine', ['rm', '-f', ...ids])
  return `${ids.length} removed`
}

/** @returns {Promise<string | undefined>} */
async function stopServices() {
  if (systemdRuns()) {
    await run('systemctl', ['disable', '--now', '--quiet', ...installed.units.map((path) => basename(path))]).catch(() => undefined)
    for (const path of installed.units) rmSync(path, { force: true })
    await run('systemctl', ['daemon-reload'])
  }
  await stopBackground()
  return undefined
}

/** @returns {Promise<string | undefined>} */
async function tearDown() {
  const engined = join(installed.programs, 'engined.cjs')
  if (!existsSync(engined)) return 'nothing installed'
  await run(engined, ['--teardown'])
  return undefined
}
