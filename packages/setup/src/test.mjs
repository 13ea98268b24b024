// npm test: everything but what is long. npm run test:full (--full) adds the long tests: load, cycles, fuzz, kill points.
// Further arguments are test files to run alone.
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { checkMachine, installPackages, needed, neededByTests } from './steps/debian.mjs'
import { bundle } from './steps/bundle.mjs'
import { installDependencies } from './steps/dependencies.mjs'
import { dist, pinnedNode, root } from './steps/places.mjs'
import { program, show, step } from './steps/report.mjs'

/** Tests are named `x.test.ts`; long ones `x.long.test.ts`. */
const groups = [
  { name: 'pure code', files: /^(packages\/[^/]+\/src\/.*|test\/[^/]+)\.test\.ts$/, concurrency: 2 },
  // Each has a daemon, a bridge and a cgroup of its own; two at once is what two processors bear.
  { name: 'root, clients, security, crash, parity', files: /^test\/(root|clients|security|crash|parity)\/.*\.test\.ts$/, concurrency: 2 },
]

const full = process.argv.includes('--full')
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))

await program(async () => {
  checkMachine()
  await step('Debian packages', () => installPackages([...needed, ...neededByTests]))
  await step('pinned dependencies and Node 24', installDependencies)
  await step('build', bundle)
  let failed = 0
  for (const { name, files, concurrency } of chosen.length > 0 ? [{ name: 'chosen', files: chosen.map((file) => resolve(file)), concurrency: 1 }] : groups.map(find)) {
    process.stdout.write(`\n== ${name}: ${files.length} files\n`)
    if (files.length === 0) continue
    const status = await show(pinnedNode, ['--no-warnings', '--test', '--test-reporter=dot', `--test-concurrency=${concurrency}`, '--test-timeout=300000', ...files], {
      cwd: root,
      env: { ...process.env, ENGINE_DIST: dist, ENGINE_TEST_FULL: full ? '1' : '' },
    })
    if (status !== 0) failed++
  }
  return failed === 0 ? 0 : 1
})

/** A group with its files found.
 * @param {{ name: string, files: RegExp, concurrency: number }} group */
function find(group) {
  const all = ['packages', 'test'].flatMap((directory) => walk(directory))
  const files = all.filter((file) => group.files.test(file) && (full || !file.endsWith('.long.test.ts')))
  return { ...group, files: files.sort().map((file) => join(root, file)) }
}

/** Files below a directory of the checkout, by their paths in it.
 * @param {string} directory @returns {string[]} */
function walk(directory) {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    return entry.isDirectory() ? walk(`${directory}/${entry.name}`) : [`${directory}/${entry.name}`]
  })
}
