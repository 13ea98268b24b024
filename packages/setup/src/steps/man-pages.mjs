import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { installed, pinnedNode, root } from './places.mjs'

/** The pages of all commands, by their files' names. @returns {Record<string, string>} */
export function manPages() {
  const script = "import('./packages/cli/src/help/man-pages.ts').then(async ({ manPages }) => console.log(JSON.stringify(Object.fromEntries(await manPages()))))"
  return JSON.parse(execFileSync(pinnedNode, ['--no-warnings', '--input-type=module', '-e', script], { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 }))
}

/** Puts pages among the programs, and links to them where man(1) looks. A file of somebody else's stays.
 * @param {Readonly<Record<string, string>>} pages @param {string} own @param {string} place */
export function installManPages(pages, own = join(installed.programs, 'man'), place = installed.man) {
  removeManPages(own, place)
  mkdirSync(own, { recursive: true })
  mkdirSync(place, { recursive: true })
  for (const [name, text] of Object.entries(pages)) {
    writeFileSync(join(own, name), text)
    if (lstatSync(join(place, name), { throwIfNoEntry: false }) === undefined) symlinkSync(join(own, name), join(place, name))
  }
}

/** Takes the links away, and what they lead to.
 * @param {string} own @param {string} place */
export function removeManPages(own = join(installed.programs, 'man'), place = installed.man) {
  for (const name of existsSync(place) ? readdirSync(place) : []) {
    const path = join(place, name)
    if (lstatSync(path).isSymbolicLink() && readlinkSync(path).startsWith(`${own}/`)) rmSync(path)
  }
  rmSync(own, { recursive: true, force: true })
  if (existsSync(place) && readdirSync(place).length === 0) rmdirSync(place)
}
