import { createHash } from 'node:crypto'
import { constants, mkdtempSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError, Errno, failedWith } from '@engine/linux'
import { chownat } from '@engine/linux/file-at'
import { mkdirAllInRoot, openInRoot, openRoot, O_PATH, procPath, reopen } from '@engine/linux/paths'
import type { KeyFile } from '../cache.ts'
import { isArchive } from '../context/archive.ts'
import { TreeCopier } from '../context/copy-tree.ts'
import { destinationPath, findPlace, isDirectory, type Owner } from '../context/destination.ts'
import { checkChecksum, download, isUrl } from '../context/download.ts'
import { parseMode } from '../context/mode.ts'
import { parseOwner } from '../context/owner.ts'
import { findSources, type Source } from '../context/source.ts'
import { digestSource } from '../context/tree-digest.ts'
import { expandWord } from '../dockerfile/expand.ts'
import type { CopyInstruction } from '../dockerfile/instruction-types.ts'
import { cleanPath, baseName } from '../filepath.ts'
import { requiresBuildKit } from './requires-buildkit.ts'
import { comment, expand, newImage, variablesOf, withCache, type Build, type Step } from './step.ts'

/** COPY and ADD: put files of the context, of another image, of an address, or of the Dockerfile itself into a new layer. */
export async function copy(step: Step, written: CopyInstruction): Promise<void> {
  const name = written.kind.toUpperCase()
  const [flag] = written.otherFlags
  if (flag !== undefined) throw requiresBuildKit(flag)
  const instruction = expandCopy(step, written)
  const mode = parseMode(instruction.chmod)
  await using open = new AsyncDisposableStack()
  const sources = await collect(step, instruction, open)
  if (sources.length > 1 && !instruction.destination.endsWith('/')) {
    throw new EngineError('invalid-argument', `When using ${name} with more than one source file, the destination must be a directory and end with a /`)
  }
  const { build, state } = step
  // Files of another image keep their owners unless --chown says otherwise; all others get root as theirs.
  const keepOwner = instruction.from !== '' && instruction.chown === ''
  const files: KeyFile[][] = []
  for (const source of sources) files.push(await digestSource(source, keepOwner, build.signal))
  const flags = [['chown', instruction.chown], ['chmod', instruction.chmod]].filter(([, value]) => value !== '')
  const shown = [...flags.map(([flag, value]) => `--${flag}=${value}`), showSources(sources, files)].join(' ')
  const createdBy = comment(step, `${name} ${shown} in ${instruction.destination} `)
  const settings = {
    destination: instruction.destination,
    workingDirectory: state.config.WorkingDir ?? '',
    ...(instruction.unpack === undefined ? {} : { unpack: String(instruction.unpack) }),
    ...Object.fromEntries(flags),
  }
  await withCache(step, { instruction: createdBy, settings, files: files.flat() }, async () => {
    await using root = await build.executor.editRoot(state.image)
    const owner = keepOwner ? undefined : instruction.chown === '' ? { uid: 0, gid: 0 } : parseOwner(instruction.chown, root.fd)
    using copier = new TreeCopier({ owner, mode }, build.signal)
    const destination = destinationPath(state.config.WorkingDir ?? '', instruction.destination)
    for (const source of sources) await put(build, source, root.fd, destination, copier, owner)
    return await root.commit(newImage(step, createdBy))
  })
}

/** Puts one source where it belongs. */
async function put(build: Build, source: Source, rootFd: number, destination: string, copier: TreeCopier, owner: Owner | undefined): Promise<void> {
  try {
    using from = openInRoot(source.rootFd, source.path, O_PATH)
    if (source.directory) {
      const existed = isDirectory(rootFd, destination)
      using to = mkdirAllInRoot(rootFd, destination, 0o755)
      await copier.copyContent(from.fd, to.fd)
      if (!existed && owner !== undefined) chownat(to.fd, '', owner.uid, owner.gid)
      return
    }
    if (source.extract && (await isArchive(procPath(from.fd)))) {
      using archive = reopen(from.fd, constants.O_RDONLY | constants.O_NOCTTY)
      using to = mkdirAllInRoot(rootFd, destination, 0o755)
      await build.unpack(procPath(archive.fd), procPath(to.fd), build.signal)
      return
    }
    const inDirectory = destination.endsWith('/') || isDirectory(rootFd, destination)
    using place = findPlace(rootFd, inDirectory ? `${destination}/${baseName(source.path)}` : destination, owner)
    await copier.copyDescriptor(from.fd, place.directory.fd, place.name)
  } catch (error) {
    if (!failedWith(error, Errno.ENOTDIR)) throw error
    throw new EngineError('invalid-argument', `failed to copy files: ${cleanPath(destination)}: not a directory`, { cause: error })
  }
}

/** Finds all sources; what must be closed or removed after the step goes onto `open`. */
async function collect(step: Step, instruction: CopyInstruction, open: AsyncDisposableStack): Promise<Source[]> {
  const name = instruction.kind.toUpperCase()
  const rootFd = instruction.from === '' ? undefined : await openFrom(step, instruction.from, open)
  try {
    const sources: Source[] = []
    for (const word of instruction.sources) {
      if (instruction.kind === 'add' && isUrl(word)) {
        sources.push(await fetchSource(step.build, word, instruction, open))
        continue
      }
      if (isUrl(word)) throw new EngineError('invalid-argument', "source can't be a URL for COPY")
      if (instruction.checksum !== '') throw new EngineError('invalid-argument', 'checksum can only be specified for HTTP(S) sources')
      const fd = rootFd ?? step.build.context?.fd
      if (fd === undefined) throw new EngineError('invalid-argument', 'missing build context')
      sources.push(...findSources(fd, word, { extract: instruction.unpack ?? instruction.kind === 'add', inContext: rootFd === undefined }))
    }
    for (const file of instruction.files) sources.push(inlineSource(step.build, file.path, file.data, open))
    if (sources.length === 0) throw new EngineError('invalid-argument', 'no source files were specified')
    return sources
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(error.code, `${name} failed: ${error.message}`, { cause: error, hint: error.hint })
    throw error
  }
}

async function openFrom(step: Step, from: string, open: AsyncDisposableStack): Promise<number> {
  try {
    const image = await step.imageFrom(from)
    return open.use(await step.build.executor.openRoot(image.id)).fd
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(error.code, `invalid from flag value ${from}: ${error.message}`, { cause: error, hint: error.hint })
    throw error
  }
}

async function fetchSource(build: Build, url: string, instruction: CopyInstruction, open: AsyncDisposableStack): Promise<Source> {
  if (instruction.checksum !== '') checkChecksum(instruction.checksum)
  const { directory, name, named } = await download(url, build.scratch, instruction.checksum, build.output, build.signal)
  if (!named && instruction.destination.endsWith('/')) throw new EngineError('invalid-argument', `cannot determine filename for source ${url}`)
  const root = open.use(openRoot(directory))
  return { rootFd: root.fd, path: name, directory: false, extract: instruction.unpack ?? false }
}

/** A file whose content stands in the Dockerfile. */
function inlineSource(build: Build, path: string, data: string, open: AsyncDisposableStack): Source {
  if (path === '.' || path === '..' || path.includes('/')) throw new EngineError('invalid-argument', `invalid name of a here-document: ${path}`)
  const directory = mkdtempSync(join(build.scratch, 'inline-'))
  const file = join(directory, path)
  writeFileSync(file, data, { mode: 0o644, flag: 'wx' })
  // The same Dockerfile makes the same layer.
  utimesSync(file, 0, 0)
  const root = open.use(openRoot(directory))
  return { rootFd: root.fd, path, directory: false, extract: false }
}

function expandCopy(step: Step, instruction: CopyInstruction): CopyInstruction {
  return {
    ...instruction,
    sources: instruction.sources.map((word) => expand(step, word)),
    destination: expand(step, instruction.destination),
    chown: expand(step, instruction.chown),
    chmod: expand(step, instruction.chmod),
    checksum: expand(step, instruction.checksum),
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
