// npm test: everything but what is long. npm run test:full (--full) adds the long tests: load, cycles, fuzz, kill points; and
// containers made by runc.
// --long-only runs only those. --repeat runs files that failed once more, alone, and takes that result (for machines that are busy
// with other things): a test that passes only then is named, and is a bug to look for. Further arguments are test files to run alone.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { checkMachine, installPackages, needed, neededByTests } from './steps/debian.mjs'
import { bundle } from './steps/bundle.mjs'
import { installDependencies } from './steps/dependencies.mjs'
import { daemonFlags, withoutProtectionKeys } from './steps/node-flags.mjs'
import { dist, pinnedNode, root } from './steps/places.mjs'
import { program, show, step } from './steps/report.mjs'

/** Tests are named `x.test.ts`; long ones `x.long.test.ts`. */
const groups = [
  { name: 'pure code', files: /^(packages\/[^/]+\/src\/.*|test\/[^/]+)\.test\.ts$/, concurrency: 2 },
  // Each has a daemon, a bridge and a cgroup of its own. A third of their time is waiting: three at once is what two processors bear.
  { name: 'root, clients, security, crash, parity', files: /^test\/(root|clients|security|crash|parity)\/.*\.test\.ts$/, concurrency: 3 },
  // What containers are made by besides: the same tests, with another runtime as the default (test/harness/runtime.ts).
  { name: 'containers made by runc', files: /^test\/(root\/(engine-(lifecycle|exec|attach|mounts|restart|volumes)|container-(resources|health))|security\/container-privileges)\.test\.ts$/, concurrency: 2, environment: { ENGINE_TEST_RUNTIME: 'runc' } },
]

const longOnly = process.argv.includes('--long-only')
const full = longOnly || process.argv.includes('--full')
const repeat = process.argv.includes('--repeat')
/** How many times longer a test may take (test/harness/patience.ts). */
const patience = Number(process.env['ENGINE_TEST_PATIENCE'] ?? 1)
const chosen = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))

await program(async () => {
  checkMachine()
  await step('Debian packages', () => installPackages([...needed, ...neededByTests]))
  await step('pinned dependencies and Node 24', installDependencies)
  await step('build', bundle)
  let failed = 0
  for (const { name, files, concurrency, environment } of chosen.length > 0 ? [{ name: 'chosen', files: chosen.map((file) => resolve(file)), concurrency: 1, environment: {} }] : groups.map(find)) {
    process.stdout.write(`\n== ${name}: ${files.length} files\n`)
    if (files.length === 0) continue
    let broken = await runFiles(files, concurrency, environment)
    if (repeat && broken.length > 0 && broken.length <= 8) {
      process.stdout.write(`\n== once more, alone: ${broken.map((file) => relative(root, file)).join(', ')}\n`)
      broken = await runFiles(broken, 1, environment)
    }
    failed += broken.length
  }
  return failed === 0 ? 0 : 1
})

/** Runs test files. @param {readonly string[]} files @param {number} concurrency @param {Readonly<Record<string, string>>} environment @returns {Promise<string[]>} those that failed */
async function runFiles(files, concurrency, environment) {
  const directory = mkdtempSync(join(tmpdir(), 'engine-report-'))
  const report = join(directory, 'failed')
  try {
    const reporters = ['--test-reporter=dot', '--test-reporter-destination=stdout', `--test-reporter=${join(root, 'packages/setup/src/steps/failed-files.mjs')}`, `--test-reporter-destination=${report}`]
    const status = await show(pinnedNode, ['--no-warnings', withoutProtectionKeys, '--test', ...reporters, `--test-concurrency=${concurrency}`, `--test-timeout=${(full ? 900_000 : 300_000) * patience}`, ...files], {
      cwd: root,
      env: { ...process.env, ...environment, ENGINE_DIST: dist, ENGINE_DAEMON_FLAGS: daemonFlags.join(' ') },
    })
    const failed = readFileSync(report, 'utf8').split('\n').filter((file) => file !== '')
    return status !== 0 && failed.length === 0 ? [...files] : failed
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A group with its files found.
 * @param {{ name: string, files: RegExp, concurrency: number, environment?: Readonly<Record<string, string>> }} group */
function find(group) {
  const all = ['packages', 'test'].flatMap((directory) => walk(directory))
  const { environment } = group
  // Running tests once more takes long, whichever they are.
  const files = all.filter((file) => group.files.test(file) && (environment !== undefined || file.endsWith('.long.test.ts') ? full : !longOnly))
  return { ...group, environment: environment ?? {}, files: files.sort().map((file) => join(root, file)) }
}

/** Files below a directory of the checkout, by their paths in it.
 * @param {string} directory @returns {string[]} */
function walk(directory) {
  return readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules') return []
    return entry.isDirectory() ? walk(`${directory}/${entry.name}`) : [`${directory}/${entry.name}`]
  })
}
