import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { errorText } from '../arguments/error-text.ts'
import { describeDirectory, tarDirectory, type ExtraFile, type Manifest } from './directory.ts'
import { Ignore, readIgnoreFile } from './dockerignore.ts'
import { tarEnd, tarHeader, tarPadding } from './tar.ts'

/** What a build sends: an archive, or the address of one, and the Dockerfile's path within. */
export interface BuildContext {
  readonly archive?: Readable
  readonly remote?: string
  readonly dockerfile: string
  /** A directory's files, to send only those that have changed; `key` names the directory. */
  readonly manifest?: Manifest & { readonly key: string }
}

/**
 * Finds a build's context.
 * @param given a directory, `-` (a tar, or a Dockerfile alone, on standard input), or a URL, which the daemon fetches
 * @param file the Dockerfile as `--file` names it (`-`: on standard input), relative to the caller's directory
 * @throws Error with docker's text
 */
export async function openContext(given: string, file: string | undefined, stdin: Readable): Promise<BuildContext> {
  if (given === '-') {
    if (file === '-') throw new Error('invalid argument: can\'t use stdin for both build context and dockerfile')
    return await fromStdin(stdin, file)
  }
  if (/^(https?|git):\/\/|^git@|^github\.com\//.test(given)) return { remote: given, dockerfile: file ?? 'Dockerfile' }
  return await fromDirectory(given, file, stdin)
}

async function fromDirectory(given: string, file: string | undefined, stdin: Readable): Promise<BuildContext> {
  if (!existsSync(given)) throw new Error(`unable to prepare context: path ${JSON.stringify(given)} not found`)
  const root = realpathSync(given)
  if (!statSync(root).isDirectory()) throw new Error(`unable to prepare context: context must be a directory: ${root}`)
  const extra: ExtraFile[] = []
  const dockerfile = file === '-' ? undefined : findDockerfile(root, file)
  const ignored = readPatterns(root, dockerfile)
  let path = dockerfile === undefined ? '' : relative(root, dockerfile)
  if (dockerfile === undefined || path.startsWith('..')) {
    // A Dockerfile from outside goes along under a name of its own, which COPY must not see.
    const content = dockerfile === undefined ? await readAll(stdin) : readFileSync(dockerfile)
    path = `.dockerfile.${createHash('sha256').update(content).digest('hex').slice(0, 20)}`
    const own = existsSync(join(root, '.dockerignore')) ? readFileSync(join(root, '.dockerignore')) : Buffer.from('.dockerignore')
    extra.push({ path, content }, { path: '.dockerignore', content: Buffer.concat([own, Buffer.from(`\n${path}\n`)]) })
  }
  const probe = new Ignore(ignored)
  // The daemon needs these two even where the patterns leave them out; it applies the patterns again.
  const kept = ['.dockerignore', path].filter((name) => probe.excludes(name)).map((name) => `!${name}`)
  const ignore = new Ignore([...ignored, ...kept])
  const archive = Readable.from(tarDirectory(root, ignore, extra), { objectMode: false })
  const manifest = describeDirectory(root, ignore, extra)
  if (manifest === undefined) return { archive, dockerfile: path }
  const key = createHash('sha256').update(JSON.stringify([hostname(), process.getuid?.() ?? 0, root])).digest('hex')
  return { archive, dockerfile: path, manifest: { ...manifest, key } }
}

function findDockerfile(root: string, file: string | undefined): string {
  const wanted = file === undefined || file === '' ? join(root, 'Dockerfile') : resolve(file)
  const lower = join(root, 'dockerfile')
  const path = (file === undefined || file === '') && !existsSync(wanted) && existsSync(lower) ? lower : wanted
  try {
    return realpathSync(path)
  } catch (error) {
    throw new Error(`unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: ${errorText(error)}`, { cause: error })
  }
}

/** The patterns of `<Dockerfile>.dockerignore`, which goes before the context's .dockerignore. */
function readPatterns(root: string, dockerfile: string | undefined): string[] {
  const candidates = [...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]), join(root, '.dockerignore')]
  const path = candidates.find(existsSync)
  return path === undefined ? [] : readIgnoreFile(readFileSync(path, 'utf8'))
}

/** A tar as it is; anything else is a Dockerfile without context. */
async function fromStdin(stdin: Readable, file: string | undefined): Promise<BuildContext> {
  const iterator = (stdin as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  const first: Buffer[] = []
  let length = 0
  while (length < 512) {
    const next = await iterator.next()
    if (next.done === true) break
    first.push(next.value)
    length += next.value.length
  }
  const start = Buffer.concat(first)
  const rest = async function* (): AsyncGenerator<Buffer> {
    if (start.length > 0) yield start
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
  }
  if (isArchive(start)) return { archive: Readable.from(rest(), { objectMode: false }), dockerfile: file ?? 'Dockerfile' }
  if (file !== undefined && file !== '') throw new Error('ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles')
  const content = await readAll(rest())
  const header = tarHeader({ path: 'Dockerfile', type: 'file', mode: 0o644, size: content.length, modified: 0 })
  return { archive: Readable.from([Buffer.concat([header, content, tarPadding(content.length), tarEnd()])], { objectMode: false }), dockerfile: 'Dockerfile' }
}

/** Whether bytes begin a tar, plain or compressed by gzip, bzip2, xz or zstd. */
function isArchive(start: Buffer): boolean {
  const magic = [[0x1f, 0x8b], [0x42, 0x5a, 0x68], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], [0x28, 0xb5, 0x2f, 0xfd]]
  return magic.some((bytes) => bytes.every((byte, i) => start[i] === byte)) || start.subarray(257, 262).toString('latin1') === 'ustar'
}

async function readAll(source: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
