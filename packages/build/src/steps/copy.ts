import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { mkdirAllInRoot, openChild, openInRoot, O_PATH, procPath, reopen, splitPath } from '@engine/linux/paths'
import type { KeyFile } from '../cache.ts'
import { isArchive } from '../context/archive.ts'
import { TreeCopier } from '../context/copy-tree.ts'
import { destinationPath, findPlace, isDirectory, type MadeDirectories, type Owner } from '../context/destination.ts'
import { madeDirectoryMode, parseMode } from '../context/mode.ts'
import { parseOwner } from '../context/owner.ts'
import type { Source } from '../context/source.ts'
import { digestSource } from '../context/tree-digest.ts'
import { expandWord } from '../dockerfile/expand.ts'
import type { CopyInstruction } from '../dockerfile/instruction-types.ts'
import { cleanPath, baseName } from '../filepath.ts'
import { collectSources } from './copy-sources.ts'
import { comment, expand, newImage, variablesOf, withCache, type Build, type Step } from './step.ts'

/** COPY and ADD: put files of the context, of another image, of an address, or of the Dockerfile itself into a new layer. */
export async function copy(step: Step, written: CopyInstruction): Promise<void> {
  const instruction = expandCopy(step, written)
  const mode = parseMode(instruction.chmod)
  await using open = new AsyncDisposableStack()
  const sources = await collectSources(step, instruction, open)
  const { build, state } = step
  // Files of another image keep their owners unless --chown says otherwise; all others get root as theirs.
  const keepOwner = instruction.from !== '' && instruction.chown === ''
  const files: (readonly KeyFile[])[] = []
  for (const source of sources) files.push(await digestSource(source, keepOwner, build.signal))
  const flags = [['chown', instruction.chown], ['chmod', instruction.chmod]].filter(([, value]) => value !== '')
  const shown = [...flags.map(([flag, value]) => `--${flag}=${value}`), showSources(sources, files)].join(' ')
  const createdBy = comment(step, `${written.kind.toUpperCase()} ${shown} in ${instruction.destination} `)
  const settings = {
    destination: instruction.destination,
    workingDirectory: state.config.WorkingDir ?? '',
    ...(instruction.unpack === undefined ? {} : { unpack: String(instruction.unpack) }),
    ...(instruction.link ? { link: 'true' } : {}),
    ...(instruction.parents ? { parents: JSON.stringify(sources.map(({ path, strip }) => [path, strip])) } : {}),
    ...Object.fromEntries(flags),
  }
  await withCache(step, { instruction: createdBy, settings, files: files.flat() }, async () => {
    // A linked layer is made on nothing, so that no link below it is followed.
    await using root = await build.executor.editRoot(state.image, instruction.link ? 'apart' : 'on top')
    const owner = keepOwner ? undefined : instruction.chown === '' ? { uid: 0, gid: 0 } : await ownerIn(step, instruction, root.fd)
    using copier = new TreeCopier({ owner, mode }, build.signal)
    const destination = destinationPath(state.config.WorkingDir ?? '', instruction.destination)
    if (instruction.link && state.image !== '') await keepDirectories(step, destination, root.fd)
    const target = { rootFd: root.fd, destination, made: { owner, mode: madeDirectoryMode(instruction.chmod) }, chown: instruction.chown !== '' }
    for (const source of sources) {
      if (sources.length > 1 && !source.directory && source.strip === undefined) refuseUnlessDirectory(target, written.kind)
      await put(build, source, target, copier)
    }
    return await root.commit(newImage(step, createdBy))
  })
}

/** In a layer that is made apart the directories above the destination are as they are in the image below, where it has them. */
async function keepDirectories({ build, state }: Step, destination: string, rootFd: number): Promise<void> {
  await using below = await build.executor.openRoot(state.image)
  using stack = new DisposableStack()
  using copier = new TreeCopier({ owner: undefined, mode: (mode) => mode }, build.signal)
  let [from, to] = [below.fd, rootFd]
  for (const name of cleanPath(destination).split('/').filter((part) => part !== '' && part !== '.')) {
    try {
      from = stack.use(openChild(from, name, O_PATH | constants.O_DIRECTORY)).fd
    } catch (error) {
      if (failedWith(error, Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP)) return
      throw error
    }
    to = stack.use(copier.makeDirectory(from, to, name)).fd
  }
}

/** A layer that is made apart has no /etc/passwd: names are those of the image below. */
async function ownerIn({ build, state }: Step, { chown, link }: CopyInstruction, rootFd: number): Promise<Owner> {
  if (!link || state.image === '') return parseOwner(chown, rootFd)
  await using below = await build.executor.openRoot(state.image)
  return parseOwner(chown, below.fd)
}

/** Where sources go. */
interface Target {
  readonly rootFd: number
  readonly destination: string
  readonly made: MadeDirectories
  /** `--chown` was given: it counts for what an archive holds, too. */
  readonly chown: boolean
}

/** Of several files each would take the place of the one before, as BuildKit does it without a word. */
function refuseUnlessDirectory({ rootFd, destination }: Target, kind: CopyInstruction['kind']): void {
  if (destination.endsWith('/') || isDirectory(rootFd, destination)) return
  throw new EngineError('invalid-argument', `When using ${kind.toUpperCase()} with more than one source file, the destination must be a directory and end with a /`)
}

/** Puts one source where it belongs. */
async function put(build: Build, source: Source, { rootFd, destination, made, chown }: Target, copier: TreeCopier): Promise<void> {
  try {
    using from = openInRoot(source.rootFd, source.path, O_PATH)
    if (source.strip !== undefined) return await putWithParents(source, from.fd, rootFd, destination, made, copier)
    if (source.directory) {
      const existed = isDirectory(rootFd, destination)
      using to = mkdirAllInRoot(rootFd, destination, made.mode, made.owner)
      return await copier.copyContent(from.fd, to.fd, source.selection && { selection: source.selection, above: '' }, !existed)
    }
    if (source.extract && (await isArchive(procPath(from.fd)))) {
      using archive = reopen(from.fd, constants.O_RDONLY | constants.O_NOCTTY)
      using to = mkdirAllInRoot(rootFd, destination, 0o755, made.owner)
      await build.unpack(procPath(archive.fd), procPath(to.fd), build.signal, chown ? made.owner : undefined)
      return
    }
    const inDirectory = destination.endsWith('/') || isDirectory(rootFd, destination)
    using place = findPlace(rootFd, inDirectory ? `${destination}/${baseName(source.path)}` : destination, made)
    await copier.copyDescriptor(from.fd, place.directory.fd, place.name)
  } catch (error) {
    if (!failedWith(error, Errno.ENOTDIR)) throw error
    throw new EngineError('invalid-argument', `failed to copy files: ${cleanPath(destination)}: not a directory`, { cause: error })
  }
}

/** `--parents`: the directories of the source's path are made as they are there, and the source is put below them. */
async function putWithParents(source: Source, fd: number, rootFd: number, destination: string, made: MadeDirectories, copier: TreeCopier): Promise<void> {
  const components = source.path.split('/').filter((part) => part !== '' && part !== '.')
  let directory = mkdirAllInRoot(rootFd, destination, made.mode, made.owner)
  try {
    for (let at = source.strip ?? 0; at < components.length - 1; at++) {
      using above = openInRoot(source.rootFd, components.slice(0, at + 1).join('/'), O_PATH)
      const next = copier.makeDirectory(above.fd, directory.fd, components[at] as string)
      directory.close()
      directory = next
    }
    const part = source.selection && { selection: source.selection, above: '' }
    if (components.length <= (source.strip ?? 0)) await copier.copyContent(fd, directory.fd, part)
    else await copier.copyDescriptor(fd, directory.fd, splitPath(source.path).name, part)
  } finally {
    directory.close()
  }
}

function expandCopy(step: Step, instruction: CopyInstruction): CopyInstruction {
  return {
    ...instruction,
    sources: instruction.sources.map((word) => expand(step, word)),
    destination: expand(step, instruction.destination),
    chown: expand(step, instruction.chown),
    chmod: expand(step, instruction.chmod),
    checksum: expand(step, instruction.checksum),
    exclude: instruction.exclude.map((pattern) => expand(step, pattern)),
    files: instruction.files.map((file) => (file.expand ? { ...file, data: expandWord(file.data, variablesOf(step), { skipQuotes: true }) } : file)),
  }
}

/** What was copied, as history tells it: a digest of its content. */
function showSources(sources: readonly Source[], files: readonly (readonly KeyFile[])[]): string {
  const shown = sources.map((source, index) => {
    const list = files[index] as readonly KeyFile[]
    return source.directory ? `dir:${digestOf(list.map(({ path, digest }) => `${path} ${digest}`))}` : `file:${list[0]?.digest ?? ''}`
  })
  return shown.length === 1 ? (shown[0] as string) : `multi:${digestOf(shown)}`
}

function digestOf(texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\n')).digest('hex')
}
