import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pinnedNode, root } from './places.mjs'
import { run } from './report.mjs'

/** Installs the pinned dependencies by the lock file, the pinned Node among them.
 * @returns {Promise<string | undefined>} */
export async function installDependencies() {
  const stamp = join(root, 'node_modules/.engine-lock')
  const wanted = createHash('sha256').update(readFileSync(join(root, 'pnpm-lock.yaml'))).digest('hex')
  if (existsSync(pinnedNode) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return 'in place'
  // Not package.json's packageManager: pnpm would look for itself in the registry, which not every mirror carries.
  const { config } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  await run('npm', ['exec', '--yes', '--', `pnpm@${config.pnpm}`, 'install', '--frozen-lockfile'], {
    cwd: root,
    env: { ...process.env, CI: '1' },
    hint: 'is the npm registry reachable?',
  })
  writeFileSync(stamp, wanted)
  return undefined
}
