import { mkdtempSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import { openRoot } from '@engine/linux/paths'
import { contextPath } from '../context/build-context.ts'
import { checkChecksum, download, isUrl } from '../context/download.ts'
import { checkOut, parseGitUrl, type GitSource } from '../context/git.ts'
import { selectBelow } from '../context/selection.ts'
import { findSources, type Source } from '../context/source.ts'
import type { CopyInstruction } from '../dockerfile/instruction-types.ts'
import { IgnoreMatcher } from '../dockerignore.ts'
import type { FromRoot, Step } from './step.ts'

/** Finds all sources of COPY or ADD; what must be closed or removed after the step goes onto `open`. */
export async function collectSources(step: Step, instruction: CopyInstruction, open: AsyncDisposableStack): Promise<Source[]> {
  const name = instruction.kind.toUpperCase()
  const root = instruction.from === '' ? undefined : await openFrom(step, instruction.from, open)
  try {
    const sources: Source[] = []
    for (const word of instruction.sources) sources.push(...(await sourcesOf(step, word, instruction, root, open)))
    for (const file of instruction.files) sources.push(inlineSource(step, file.path, file.data, open))
    return withoutExcluded(sources, instruction.exclude)
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(error.code, `${name} failed: ${error.message}`, { cause: error, hint: error.hint })
    throw error
  }
}

async function sourcesOf(step: Step, word: string, instruction: CopyInstruction, root: FromRoot | undefined, open: AsyncDisposableStack): Promise<Source[]> {
  const git = instruction.kind === 'add' ? parseGitUrl(word) : undefined
  if (git !== undefined) return [await cloneSource(step, git, instruction, open)]
  if (isUrl(word)) {
    if (instruction.kind === 'copy') throw new EngineError('invalid-argument', "source can't be a URL for COPY")
    return [await fetchSource(step, word, instruction, open)]
  }
  if (instruction.checksum !== '') throw new EngineError('invalid-argument', 'checksum can only be specified for HTTP(S) sources')
  const { context } = step.build
  const fd = root?.fd ?? context?.fd
  if (fd === undefined) throw new EngineError('invalid-argument', 'missing build context')
  const version = root === undefined ? context?.version : root.image && `image ${root.image.id}`
  return findSources(fd, word, { extract: instruction.unpack ?? instruction.kind === 'add', inContext: root === undefined, parents: instruction.parents, version })
}

/** Patterns count below the directories that are copied, not for files that are named. */
function withoutExcluded(sources: readonly Source[], patterns: readonly string[]): Source[] {
  if (patterns.length === 0) return [...sources]
  const exclude = new IgnoreMatcher(patterns)
  return sources.map((source) => (source.directory ? { ...source, selection: selectBelow(source.rootFd, source.path, exclude) } : source))
}

async function openFrom(step: Step, from: string, open: AsyncDisposableStack): Promise<FromRoot> {
  try {
    return open.use(await step.openFrom(from))
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(error.code, `invalid from flag value ${from}: ${error.message}`, { cause: error, hint: error.hint })
    throw error
  }
}

async function fetchSource({ build, output }: Step, url: string, instruction: CopyInstruction, open: AsyncDisposableStack): Promise<Source> {
  if (instruction.checksum !== '') checkChecksum(instruction.checksum)
  const { directory, name, named } = await download(url, build.scratch, instruction.checksum, output, build.signal)
  if (!named && instruction.destination.endsWith('/')) throw new EngineError('invalid-argument', `cannot determine filename for source ${url}`)
  const root = open.use(openRoot(directory))
  return { rootFd: root.fd, path: name, directory: false, extract: instruction.unpack ?? false }
}

/** A repository's files, which go to the destination as a directory's do. */
async function cloneSource({ build }: Step, git: GitSource, instruction: CopyInstruction, open: AsyncDisposableStack): Promise<Source> {
  const { directory } = await checkOut(git, build.scratch, { keepGitDir: instruction.keepGitDir, checksum: instruction.checksum }, build.signal)
  const root = open.use(openRoot(directory))
  const [source] = findSources(root.fd, contextPath(git.subdirectory === '' ? '.' : git.subdirectory), { extract: false, inContext: false })
  if (source?.directory !== true) throw new EngineError('invalid-argument', `${git.subdirectory} is no directory of the repository`)
  return source
}

/** A file whose content stands in the Dockerfile. */
function inlineSource({ build }: Step, path: string, data: string, open: AsyncDisposableStack): Source {
  if (path === '.' || path === '..' || path.includes('/')) throw new EngineError('invalid-argument', `invalid name of a here-document: ${path}`)
  const directory = mkdtempSync(join(build.scratch, 'inline-'))
  const file = join(directory, path)
  writeFileSync(file, data, { mode: 0o644, flag: 'wx' })
  // The same Dockerfile makes the same layer.
  utimesSync(file, 0, 0)
  const root = open.use(openRoot(directory))
  return { rootFd: root.fd, path, directory: false, extract: false }
}
