import { randomUUID } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeInitLayer } from './init-layer.ts'
import { initSuffix, Layout, makingFolder } from './layout.ts'
import type { ShortLinks } from './short-links.ts'

/**
 * Makes a container's directories over the layers of its image. Doing it again repairs what is missing and keeps the rest.
 * @param root    the directory `overlay2`
 * @param parents ids of the image's layers, topmost first
 * @param options `init`: whether Docker's mount points and /.dockerenv come between; false for build steps
 */
export function prepareContainer(root: string, links: ShortLinks, id: string, parents: readonly string[], options: { readonly init: boolean }): Layout {
  const layout = new Layout(root, id)
  const below = options.init ? [prepareInit(root, links, parents), ...parents] : parents
  mkdirSync(layout.directory, { recursive: true, mode: 0o710 })
  if (!existsSync(layout.diff)) {
    mkdirSync(layout.diff, { mode: 0o755 })
    const top = parents[0]
    // The merged root has the upper directory's attributes.
    if (top !== undefined) {
      const { uid, gid, mode } = statSync(new Layout(root, top).diff)
      chownSync(layout.diff, uid, gid)
      chmodSync(layout.diff, mode & 0o7777)
    }
  }
  mkdirSync(layout.work, { recursive: true, mode: 0o700 })
  mkdirSync(layout.merged, { recursive: true, mode: 0o700 })
  links.describe(layout.directory, id, below)
  return layout
}

/** The layer of mount points over an image's layers, made at its first container and shared by all. */
function prepareInit(root: string, links: ShortLinks, parents: readonly string[]): string {
  const id = `${parents[0] ?? 'scratch'}${initSuffix}`
  const layout = new Layout(root, id)
  if (existsSync(layout.committed)) return id
  rmSync(layout.directory, { recursive: true, force: true })
  const making = join(root, makingFolder, randomUUID())
  mkdirSync(join(making, 'diff'), { recursive: true, mode: 0o755 })
  makeInitLayer(join(making, 'diff'), parents.map((parent) => new Layout(root, parent).diff))
  links.describe(making, id, parents)
  writeFileSync(join(making, 'committed'), '{}\n', { mode: 0o600 })
  renameSync(making, layout.directory)
  return id
}
