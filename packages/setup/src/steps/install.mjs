import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { dist, installed, root, systemdRuns } from './places.mjs'
import { run } from './report.mjs'

/** V8 flags of the daemon, which is to stay small: a small young generation, and memory given back early. */
export const daemonFlags = ['--max-semi-space-size=2', '--optimize-for-size', '--no-warnings']

/** Copies the built programs to where they are run from, and puts the commands on the PATH.
 * The whole tree is made beside the old one and renamed into its place, so that a command never meets half of it.
 * @returns {string | undefined} */
export function installPrograms() {
  const stamp = join(installed.programs, '.sources')
  const built = readFileSync(join(dist, '.sources'), 'utf8')
  const commandsThere = installed.commands.every((path) => existsSync(path))
  if (commandsThere && existsSync(stamp) && readFileSync(stamp, 'utf8') === built) return 'in place'
  const next = `${installed.programs}.new`
  rmSync(next, { recursive: true, force: true })
  mkdirSync(join(next, 'bin'), { recursive: true })
  cpSync(join(dist, 'node_modules'), join(next, 'node_modules'), { recursive: true })
  for (const name of readdirSync(dist)) if (name.endsWith('.cjs')) copyFileSync(join(dist, name), join(next, name))
  copyFileSync(realpathSync(join(dist, 'bin/node')), join(next, 'bin/node'))
  const node = join(installed.programs, 'bin/node')
  writeCommand(join(next, 'engine.cjs'), `#!${node}`)
  writeCommand(join(next, 'engined.cjs'), `#!/usr/bin/env -S ${node} ${daemonFlags.join(' ')}`)
  writeFileSync(join(next, '.sources'), built)
  const old = `${installed.programs}.old`
  rmSync(old, { recursive: true, force: true })
  if (existsSync(installed.programs)) renameSync(installed.programs, old)
  renameSync(next, installed.programs)
  rmSync(old, { recursive: true, force: true })
  for (const path of installed.commands) {
    rmSync(path, { force: true })
    symlinkSync(join(installed.programs, `${basename(path)}.cjs`), path)
  }
  return undefined
}

/** @param {string} path @param {string} firstLine */
function writeCommand(path, firstLine) {
  writeFileSync(path, `${firstLine}\n${readFileSync(path, 'utf8').replace(/^#!.*\n/, '')}`)
  chmodSync(path, 0o755)
}

/** Puts the systemd units in place. @returns {Promise<string | undefined>} */
export async function installUnits() {
  if (!systemdRuns()) return 'systemd is not running here'
  let changed = false
  for (const path of installed.units) {
    const content = readFileSync(join(root, 'systemd', basename(path)), 'utf8')
    if (existsSync(path) && readFileSync(path, 'utf8') === content) continue
    writeFileSync(path, content)
    changed = true
  }
  if (!changed) return 'in place'
  await run('systemctl', ['daemon-reload'])
  return undefined
}
