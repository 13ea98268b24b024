import { existsSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, readdir, readFile, readlink, rm, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { checkId, Layout, linkFolder, newShortName } from './layout.ts'

/** The short links of layers and containers, and the files `lower` that name the layers below by them. */
export class ShortLinks {
  readonly #root: string

  /** @param root the directory `overlay2` */
  constructor(root: string) {
    this.#root = root
  }

  /** Makes the folder, and removes short links that no directory has as its own: what a crash left. */
  async open(): Promise<void> {
    await mkdir(join(this.#root, linkFolder), { recursive: true, mode: 0o700 })
    for (const short of await readdir(join(this.#root, linkFolder))) {
      const link = join(this.#root, linkFolder, short)
      if ((await ownLink(resolve(this.#root, linkFolder, await readlink(link), '../link'))) !== short) await rm(link)
    }
  }

  /** Writes `link` and `lower` of a layer or container into a directory, and makes the short link. */
  describe(directory: string, id: string, parents: readonly string[]): void {
    const link = join(directory, 'link')
    if (!existsSync(link)) {
      const short = newShortName()
      symlinkSync(`../${checkId(id)}/diff`, join(this.#root, linkFolder, short))
      writeFileSync(link, short, { mode: 0o644 })
    }
    if (parents.length === 0) return
    const lower = parents.map((parent) => `${linkFolder}/${readFileSync(new Layout(this.#root, parent).link, 'utf8').trim()}`)
    writeFileSync(join(directory, 'lower'), lower.join(':'), { mode: 0o644 })
  }

  /** The directories below, topmost first, as `lower` names them. */
  lowerDirectories(layout: Layout): string[] {
    if (!existsSync(layout.lower)) return []
    return readFileSync(layout.lower, 'utf8')
      .trim()
      .split(':')
      .map((link) => join(this.#root, linkFolder, readlinkSync(join(this.#root, link))))
  }

  /** Removes the short link that a file `link` names. */
  async remove(linkFile: string): Promise<void> {
    try {
      const short = (await readFile(linkFile, 'utf8')).trim()
      if (/^[A-Z2-7]{26}$/.test(short)) await unlink(join(this.#root, linkFolder, short))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

/** The short name in a directory's file `link`; undefined when there is none. */
async function ownLink(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
