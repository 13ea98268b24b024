import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { engineOk } from './command-line.ts'
import { cacheDirectory, type TestDaemon } from './daemon.ts'
import { debianTar } from './images.ts'

/** Projects with Dockerfiles as people write them; its README says which. */
const corpus = join(import.meta.dirname, '../corpus')

export const bases = ['corpus-node', 'corpus-python', 'corpus-toolchain'] as const

/** Gives a daemon the images that the corpus builds on: `debian:base`, and Node, Python and a compiler on it. Made by an engine once, and kept as an archive. */
export async function addBases({ host }: TestDaemon): Promise<void> {
  const dockerfile = readFileSync(join(corpus, 'bases/Dockerfile'))
  const archive = join(cacheDirectory(), `corpus-${createHash('sha256').update(dockerfile).digest('hex').slice(0, 12)}.tar`)
  if (existsSync(archive)) return void await engineOk(host, 'load', '-q', '-i', archive)
  await engineOk(host, 'import', debianTar(), 'debian:base')
  await Promise.all(bases.map((name) => engineOk(host, 'build', '-q', '-t', name, '--target', name.replace('corpus-', ''), join(corpus, 'bases'))))
  await engineOk(host, 'save', '-o', `${archive}.${process.pid}`, 'debian:base', ...bases)
  renameSync(`${archive}.${process.pid}`, archive)
}

/** Copies a project to a directory below `within`, to be built and changed there. @returns its path */
export function copyProject(name: string, within: string): string {
  const context = mkdtempSync(join(within, `${name}-`))
  cpSync(join(corpus, name), context, { recursive: true })
  return context
}
