import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach } from 'node:test'
import { build, type BuildLine, type BuildRequest } from '@engine/build'
import { RecordingExecutor } from '../../packages/build/src/testing/recording-executor.ts'
import { unpack } from '../../packages/build/src/testing/unpack.ts'

/** Builds that make directories of files and run nothing; each test gets a context of its own, and an image `base` with users. */
export interface CopyFixture {
  /** A directory that goes after the test; in it the context and the image. */
  readonly base: string
  readonly context: string
  readonly executor: RecordingExecutor
  /** What the last build told. */
  readonly lines: readonly BuildLine[]
  /** Files of the context; a name that ends with a slash is a directory. */
  put(files: Readonly<Record<string, string>>): void
  /** Builds. @returns the directory of the image's files @throws Error with what the build says */
  run(dockerfile: string, request?: Partial<BuildRequest>): Promise<string>
  wasCached(): boolean
  /** Mode, owner and content of everything below a directory of an image. */
  list(root: string, path: string): Record<string, string>
}

export function copyFixture(): CopyFixture {
  let base = ''
  let context = ''
  let executor: RecordingExecutor
  let lines: BuildLine[] = []
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'build-copy-'))
    context = join(base, 'c')
    mkdirSync(context)
    const root = join(base, 'image')
    mkdirSync(join(root, 'etc'), { recursive: true })
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nbob:x:1000:1001::/:/bin/sh\n')
    writeFileSync(join(root, 'etc/group'), 'root:x:0:\nbob:x:1001:\nstaff:x:50:bob\n')
    executor = new RecordingExecutor(base)
    executor.add('base', { Env: ['PATH=/bin'] }, root)
  })
  afterEach(() => rmSync(base, { recursive: true }))
  return {
    get base() {
      return base
    },
    get context() {
      return context
    },
    get executor() {
      return executor
    },
    get lines() {
      return lines
    },
    put(files) {
      for (const [path, content] of Object.entries(files)) {
        mkdirSync(join(context, path, path.endsWith('/') ? '' : '..'), { recursive: true })
        if (!path.endsWith('/')) writeFileSync(join(context, path), content)
      }
    },
    async run(dockerfile, request = {}) {
      writeFileSync(join(context, request.dockerfile ?? 'Dockerfile'), dockerfile)
      const directory = mkdtempSync(join(base, 'work-'))
      lines = []
      const tar = execFileSync('tar', ['-C', context, '-c', '.'], { maxBuffer: 1 << 26 })
      const stream = build(Readable.from([tar]), {
        tags: [], dockerfile: 'Dockerfile', platform: '', noCache: false, quiet: false, remove: true, forceRemove: false, target: '', buildArgs: {}, labels: {}, ...request,
      }, { executor, unpack, directory, signal: new AbortController().signal })
      for await (const line of stream) lines.push(line)
      const failure = lines.at(-1)?.['error']
      if (typeof failure === 'string') throw new Error(failure)
      const aux = lines.findLast((line) => 'aux' in line)?.['aux'] as { ID: string } | undefined
      return executor.files(aux?.ID ?? '')
    },
    wasCached: () => lines.some((line) => line['stream'] === ' ---> Using cache\n'),
    list: listFiles,
  }
}

function listFiles(root: string, path: string): Record<string, string> {
  const found: Record<string, string> = {}
  const visit = (relative: string): void => {
    const stat = lstatSync(join(root, relative))
    const content = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? `-> ${readlinkSync(join(root, relative))}` : stat.isFile() ? readFileSync(join(root, relative), 'utf8') : 'special'
    found[relative] = `${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid} ${content}`
    if (stat.isDirectory()) for (const name of readdirSync(join(root, relative)).sort()) visit(`${relative}/${name}`)
  }
  visit(path)
  return found
}
