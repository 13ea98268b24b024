import { chmodSync, cpSync, existsSync, linkSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { installManPages, manPages } from './man-pages.mjs'
import { daemonFlags } from './node-flags.mjs'
import { dist, installed, restartPending, root, systemdRuns } from './places.mjs'
import { run } from './report.mjs'

/** Puts the built programs where they are run from, and the commands on the PATH.
 * The whole tree is made beside the old one and renamed into its place, so that a command never meets half of it. A file that is as it
 * was stays the same file: by that the shim knows whether it runs what is installed.
 * @returns {string | undefined} */
export function installPrograms() {
  const { programs } = installed
  const stamp = join(programs, '.sources')
  const built = readFileSync(join(dist, '.sources'), 'utf8')
  const linked = installed.commands.every((path) => existsSync(path) && realpathSync(path).startsWith(`${programs}/`))
  if (linked && existsSync(stamp) && readFileSync(stamp, 'utf8') === built) return 'in place'
  markPending()
  const next = `${programs}.new`
  const old = `${programs}.old`
  // Broken off between the two renames below.
  if (!existsSync(programs) && existsSync(old)) renameSync(old, programs)
  for (const rest of [next, old]) rmSync(rest, { recursive: true, force: true })
  mkdirSync(join(next, 'bin'), { recursive: true })
  cpSync(join(dist, 'node_modules'), join(next, 'node_modules'), { recursive: true })
  for (const name of readdirSync(dist).filter((file) => file.endsWith('.cjs'))) {
    writeProgram(join(next, name), withFirstLine(readFileSync(join(dist, name), 'utf8'), firstLines[name]), join(programs, name))
  }
  copyNode(realpathSync(join(dist, 'bin/node')), join(next, 'bin/node'), join(programs, 'bin/node'))
  writeFileSync(join(next, '.sources'), built)
  if (existsSync(programs)) renameSync(programs, old)
  renameSync(next, programs)
  rmSync(old, { recursive: true, force: true })
  for (const path of installed.commands) {
    mkdirSync(dirname(path), { recursive: true })
    rmSync(`${path}.new`, { force: true })
    symlinkSync(join(programs, `${basename(path)}.cjs`), `${path}.new`)
    renameSync(`${path}.new`, path)
  }
  installManPages(manPages())
  return undefined
}

const node = join(installed.programs, 'bin/node')
/** How the kernel finds the programs that are commands. @type {Readonly<Record<string, string>>} */
const firstLines = {
  // Without the dashes Node would take flags of engine's for its own: it looks for --env-file in all of argv.
  'engine.cjs': `#!${node} --`,
  'engined.cjs': `#!/usr/bin/env -S ${node} ${daemonFlags.join(' ')}`,
}

/** @param {string} text @param {string | undefined} line @returns {string} */
function withFirstLine(text, line) {
  return line === undefined ? text : `${line}\n${text.replace(/^#!.*\n/, '')}`
}

/** @param {string} path @param {string} text @param {string} before the same program as it is installed now */
function writeProgram(path, text, before) {
  if (existsSync(before) && readFileSync(before, 'utf8') === text) return linkSync(before, path)
  writeFileSync(path, text)
  chmodSync(path, 0o755)
  return undefined
}

/** The Node binary is large: size and time tell whether it is the same.
 * @param {string} from @param {string} to @param {string} before as it is installed now */
function copyNode(from, to, before) {
  const { size, atime, mtime } = statSync(from)
  const there = statSync(before, { throwIfNoEntry: false })
  if (there?.size === size && Math.floor(there.mtimeMs / 1000) === Math.floor(mtime.getTime() / 1000)) return linkSync(before, to)
  cpSync(from, to)
  utimesSync(to, atime, mtime)
  return undefined
}

/** Puts the systemd units in place. @returns {Promise<string | undefined>} */
export async function installUnits() {
  if (!systemdRuns()) return 'systemd is not running here'
  const changed = installed.units.filter((path) => !existsSync(path) || readFileSync(path, 'utf8') !== unit(path))
  if (changed.length > 0) markPending()
  for (const path of changed) writeFileSync(path, unit(path))
  if (!existsSync(restartPending)) return 'in place'
  await run('systemctl', ['daemon-reload'])
  return undefined
}

/** @param {string} path @returns {string} the unit's text */
function unit(path) {
  return readFileSync(join(root, 'systemd', basename(path)), 'utf8')
}

function markPending() {
  mkdirSync(dirname(restartPending), { recursive: true })
  writeFileSync(restartPending, 'npm start restarts the daemon\n')
}
