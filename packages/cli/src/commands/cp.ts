import { lstatSync, realpathSync, statSync, type Stats } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { onOff } from '../arguments/flag.ts'
import { errorText } from '../arguments/error-text.ts'
import { ApiError, type Client } from '../connection/client.ts'
import { pack } from '../copy/pack.ts'
import { absolute, destinationOf, localEnd, parseCopyArgument, type CopyArgument, type End } from '../copy/paths.ts'
import { unpack } from '../copy/unpack.ts'
import { humanSize } from '../output/human.ts'
import { isTerminal, print, printError } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tengine cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  summary: 'Copy files/folders between a container and the local filesystem',
  examples: [
    ['engine cp web:/etc/hosts .', 'a file out of a container, running or not'],
    ['engine cp site/. web:/www', 'the contents of a directory into one'],
    ['tar -c . | engine cp - web:/tmp', 'an archive from standard input'],
  ],
  flags: {
    archive: onOff('Archive mode (copy all uid/gid information)', { short: 'a' }),
    'follow-link': onOff('Always follow symbol link in SRC_PATH', { short: 'L' }),
    quiet: onOff('Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached', { short: 'q' }),
  },
  args: [2, 2],
  async run({ flags, args: [from = '', to = ''] }, { client }) {
    const source = parseCopyArgument(from)
    const target = parseCopyArgument(to)
    if (from === '') throw new CommandError('source can not be empty')
    if (to === '') throw new CommandError('destination can not be empty')
    if (source.container !== '' && target.container !== '') throw new CommandError('copying between containers is not supported')
    if (source.container === '' && target.container === '') throw new CommandError('must specify at least one container source')
    const options = { follow: flags['follow-link'], archive: flags.archive, quiet: flags.quiet || !isTerminal(2) }
    try {
      await (source.container === '' ? copyIn(client, source.path, target, options) : copyOut(client, source, target.path, options))
    } catch (error) {
      if (error instanceof ApiError || error instanceof CommandError) throw error
      throw new CommandError(error instanceof Error && 'syscall' in error ? errorText(error) : (error as Error).message)
    }
    return 0
  },
})

interface CopyOptions {
  readonly follow: boolean
  readonly archive: boolean
  readonly quiet: boolean
}

/** What the daemon tells of a path in a container. */
interface PathStat {
  readonly name: string
  /** Bits of Go's FileMode. */
  readonly mode: number
  readonly linkTarget: string
}

const isDirectory = ({ mode }: PathStat): boolean => mode >= 2 ** 31
const isLink = ({ mode }: PathStat): boolean => (mode & 2 ** 27) !== 0
const isSpecial = ({ mode }: PathStat): boolean => (mode & (2 ** 26 | 2 ** 25 | 2 ** 24 | 2 ** 21)) !== 0

function readStat(header: string | undefined): PathStat {
  if (header === undefined) throw new Error('unable to get resource stat from response')
  return JSON.parse(Buffer.from(header, 'base64').toString()) as PathStat
}

async function statIn(client: Client, { container, path }: CopyArgument): Promise<PathStat> {
  const { headers } = await client.request('HEAD', `/containers/${container}/archive`, { query: { path } })
  return readStat(headers['x-docker-container-path-stat'])
}

async function copyOut(client: Client, source: CopyArgument, target: string, options: CopyOptions): Promise<void> {
  let { path } = source
  let name: string | undefined
  const end = target === '-' ? undefined : localEnd(target)
  if (options.follow) {
    const stat = await statIn(client, source).catch((error: unknown) => {
      if (error instanceof ApiError && error.status !== 0) return undefined
      throw error
    })
    if (stat !== undefined && isLink(stat)) {
      name = basename(path)
      path = stat.linkTarget
    }
  }
  const answer = await client.stream('GET', `/containers/${source.container}/archive`, { query: { path } })
  if (end === undefined) {
    for await (const chunk of answer.body) print(chunk)
    return
  }
  const stat = readStat(answer.headers['x-docker-container-path-stat'])
  const top = stat.name
  const destination = destinationOf({ name: name ?? top, isDirectory: isDirectory(stat) }, end)
  const counted = new Counted(answer.body)
  await unpack(counted, top, { directory: realpathSync(destination.directory), name: destination.name === '.' || destination.name === '/' ? '' : destination.name })
  if (!options.quiet) printError(`Successfully copied ${humanSize(counted.bytes)} to ${end.path}\n`)
}

async function copyIn(client: Client, source: string, target: CopyArgument, options: CopyOptions): Promise<void> {
  const shown = JSON.stringify(`${target.container}:${target.path}`)
  const end = await containerEnd(client, target, shown)
  let directory = end.path
  let content: AsyncIterable<Buffer>
  if (source === '-') {
    if (!end.isDirectory) throw new CommandError(`destination ${shown} must be a directory`)
    content = process.stdin as AsyncIterable<Buffer>
  } else {
    const path = absolute(source)
    const stats = sourceStats(path, options.follow)
    const name = path.endsWith('/.') || path === '/' ? '.' : basename(path)
    const destination = destinationOf({ name, isDirectory: stats.isDirectory() }, end)
    directory = destination.directory
    content = Readable.from(pack(options.follow || /\/\.?$/.test(path) ? realpathSync(path) : path, destination.name), { objectMode: false }) as AsyncIterable<Buffer>
  }
  const counted = new Counted(content)
  await client.request('PUT', `/containers/${target.container}/archive`, {
    query: { path: directory, noOverwriteDirNonDir: 'true', ...(options.archive ? { copyUIDGID: 'true' } : {}) },
    body: counted,
  })
  if (!options.quiet) printError(`Successfully copied ${humanSize(counted.bytes)} to ${target.container}:${end.path}\n`)
}

async function containerEnd(client: Client, target: CopyArgument, shown: string): Promise<End> {
  let { path } = target
  try {
    let stat = await statIn(client, target)
    if (isLink(stat)) {
      path = stat.linkTarget.startsWith('/') ? stat.linkTarget : join(dirname(path), stat.linkTarget)
      stat = await statIn(client, { ...target, path })
    }
    if (isSpecial(stat)) throw new CommandError(`destination ${shown} must be a directory or regular file`)
    return { path, exists: true, isDirectory: isDirectory(stat) }
  } catch (error) {
    // Its parent may be there: the copy itself tells.
    if (!(error instanceof ApiError) || error.status === 0) throw error
    return { path, exists: false, isDirectory: false }
  }
}

function sourceStats(path: string, follow: boolean): Stats {
  try {
    return follow ? statSync(path) : lstatSync(path)
  } catch (error) {
    throw new CommandError(`lstat ${path}: ${errorText(error)}`)
  }
}

/** Bytes that pass, counted. */
class Counted implements AsyncIterable<Buffer> {
  readonly #chunks: AsyncIterable<Buffer>
  bytes = 0

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const chunk of this.#chunks) {
      this.bytes += chunk.length
      yield chunk
    }
  }
}
