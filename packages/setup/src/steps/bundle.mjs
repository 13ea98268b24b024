import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { commandLineBundle } from '../../../cli/src/bundle/options.mjs'
import { dist, pinnedNode, root } from './places.mjs'
import { SetupError, run } from './report.mjs'

/** The shipped programs: entry points by the name of their bundle. */
const programs = {
  engined: 'packages/daemon/src/main.ts',
  'engine-shim': 'packages/runtime/src/shim/main.ts',
  'layer-worker': 'packages/image/src/worker/main.ts',
  'log-worker': 'packages/engine/src/logs/worker.ts',
  'name-worker': 'packages/network/src/dns/worker.ts',
  'relay-worker': 'packages/network/src/ports/relay/worker.ts',
}

/** Packages with a binary inside; they stay packages. */
const native = ['koffi', 'better-sqlite3']

/** A digest over everything that goes into the bundles. */
function sourceDigest() {
  const hash = createHash('sha256')
  /** @param {string} directory */
  const visit = (directory) => {
    for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(directory, entry.name)
      if (entry.name === 'node_modules') continue
      if (entry.isDirectory()) visit(path)
      else if (!entry.name.endsWith('.test.ts')) hash.update(path).update(readFileSync(path))
    }
  }
  visit(join(root, 'packages'))
  return hash.update(readFileSync(join(root, 'pnpm-lock.yaml'))).digest('hex')
}

/** Bundles every program into dist/. @returns {Promise<string | undefined>} */
export async function bundle() {
  const stamp = join(dist, '.sources')
  const digest = sourceDigest()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return 'in place'
  rmSync(stamp, { force: true })
  mkdirSync(dist, { recursive: true })
  const { build } = createRequire(join(root, 'package.json'))('esbuild')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const common = {
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'silent',
    define: { 'process.env.ENGINE_VERSION': JSON.stringify(version) },
    external: native,
    absWorkingDir: root,
  }
  const bundles = [
    ...Object.entries(programs)
      .map(([name, entry]) => build({ ...common, entryPoints: [entry], outfile: join(dist, `${name}.cjs`) })),
    build({ ...commandLineBundle(join(dist, 'engine.cjs')), define: common.define, absWorkingDir: root, logLevel: 'silent' }),
  ]
  await Promise.all(bundles).catch((/** @type {Error} */ error) => {
    throw new SetupError(error.message)
  })
  await run(pinnedNode, [join(root, 'packages/cli/src/bundle/code-cache.mjs'), join(dist, 'engine.cjs')])
  copyNative()
  linkNode()
  writeFileSync(stamp, digest)
  return undefined
}

/** Copies packages with binaries, only what this machine needs of them, so that dist/ works wherever it is put. */
function copyNative() {
  const modules = join(dist, 'node_modules')
  rmSync(modules, { recursive: true, force: true })
  const koffi = realpathSync(join(root, 'packages/linux/node_modules/koffi'))
  const sqlite = realpathSync(join(root, 'packages/engine/node_modules/better-sqlite3'))
  const copy = (/** @type {string} */ from, /** @type {string} */ to) => cpSync(from, join(modules, to), { recursive: true, dereference: true })
  // Its sources in C++ lie beside its JavaScript, and are not needed.
  cpSync(koffi, join(modules, 'koffi'), { recursive: true, dereference: true, filter: (path) => !/\/(vendor|doc|lib)$/.test(path) && !/\.(cc|hh|h|S|asm|txt|md|d\.ts)$/.test(path) })
  copy(join(dirname(koffi), '@koromix/koffi-linux-x64'), '@koromix/koffi-linux-x64')
  for (const name of ['package.json', 'lib', 'prebuilds/linux-x64.node', 'LICENSE']) copy(join(sqlite, name), `better-sqlite3/${name}`)
}

/** The pinned Node beside the bundles, so that dist/ runs by itself. */
function linkNode() {
  mkdirSync(join(dist, 'bin'), { recursive: true })
  const link = join(dist, 'bin/node')
  rmSync(link, { force: true })
  symlinkSync(realpathSync(pinnedNode), link)
}
