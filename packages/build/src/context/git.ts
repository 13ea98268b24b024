import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EngineError } from '@engine/linux'

const run = promisify(execFile)

/** The host's own program, by its path: nothing that a PATH or a context could put in its place. */
const program = '/usr/bin/git'
/** Transports that git may use, for submodules and redirects too; never `ext::`, which runs commands, nor `file`, which reads the host. */
const protocols = 'https:http:git:ssh'
/** Bytes of messages that are kept. */
const maxOutput = 1 << 20

/** A git repository as a Dockerfile or a client names it. */
export interface GitSource {
  /** Address without fragment. */
  readonly url: string
  /** Branch, tag, or commit; empty is the default branch. */
  readonly ref: string
  /** Directory in the repository; empty is its top. */
  readonly subdirectory: string
}

/**
 * Reads an address of a git repository: `https://host/x.git#ref:dir`, `git://…`, `git@host:x`, `ssh://…`, `github.com/…`.
 * @returns undefined when it is none
 */
export function parseGitUrl(text: string): GitSource | undefined {
  const hash = text.indexOf('#')
  const [address, fragment] = hash < 0 ? [text, ''] : [text.slice(0, hash), text.slice(hash + 1)]
  const { url, query } = withoutQuery(address)
  const isGit = /^(?:git:\/\/|ssh:\/\/|[\w.-]+@[\w.-]+:(?!\/\/))/.test(url) || (/^https?:\/\//.test(url) && /\.git\/?$/.test(url)) || url.startsWith('github.com/')
  if (!isGit) return undefined
  const colon = fragment.indexOf(':')
  const [ref, subdirectory] = colon < 0 ? [fragment, ''] : [fragment.slice(0, colon), fragment.slice(colon + 1)]
  return {
    url: url.startsWith('github.com/') ? `https://${url}` : url,
    ref: query.get('ref') ?? query.get('tag') ?? query.get('branch') ?? query.get('commit') ?? query.get('checksum') ?? ref,
    subdirectory: query.get('subdir') ?? subdirectory,
  }
}

/** `?ref=…&subdir=…` belongs to the builder, not to the server. */
function withoutQuery(address: string): { url: string; query: URLSearchParams } {
  const mark = address.indexOf('?')
  if (mark < 0 || !/^[a-z]+:\/\//.test(address)) return { url: address, query: new URLSearchParams() }
  const query = new URLSearchParams(address.slice(mark + 1))
  const known = [...query.keys()].every((key) => ['ref', 'tag', 'branch', 'commit', 'checksum', 'subdir'].includes(key))
  return known ? { url: address.slice(0, mark), query } : { url: address, query: new URLSearchParams() }
}

export interface Checkout {
  /** Directory of ours with the files; {@link GitSource.subdirectory} is not resolved in it. */
  readonly directory: string
  readonly commit: string
}

/**
 * Checks a repository out, with its submodules, without history.
 * @param within a directory of the build's own
 * @param keepGitDir whether `.git` stays among the files
 * @param checksum the commit that it must be (or begin with); empty is any
 * @throws EngineError invalid-argument with git's message, whose addresses have no passwords; AbortError
 */
export async function checkOut(source: GitSource, within: string, options: { readonly keepGitDir: boolean; readonly checksum?: string | undefined }, signal: AbortSignal): Promise<Checkout> {
  if (!existsSync(program)) {
    throw new EngineError('unavailable', 'git is not installed on the engine’s host', { hint: 'install the Debian package git' })
  }
  if (source.ref.startsWith('-') || source.url.startsWith('-')) throw new EngineError('invalid-argument', `invalid git reference: ${source.ref || source.url}`)
  const base = await mkdtemp(join(within, 'git-'))
  const directory = join(base, 'files')
  const home = join(base, 'home')
  await mkdir(directory)
  await mkdir(home)
  const git = async (...args: string[]): Promise<string> => call(directory, home, args, signal)
  await git('-c', 'init.defaultBranch=main', 'init', '--quiet', '--template=')
  await git('remote', 'add', '--end-of-options', 'origin', source.url)
  const commit = await fetchCommit(git, source.ref)
  if (options.checksum && !commit.startsWith(options.checksum)) {
    throw new EngineError('invalid-argument', `expected checksum to match ${options.checksum}, got ${commit}`)
  }
  await git('-c', 'advice.detachedHead=false', 'checkout', '--quiet', '--force', commit)
  if (existsSync(join(directory, '.gitmodules'))) await git('submodule', 'update', '--init', '--recursive', '--depth=1')
  if (!options.keepGitDir) await rm(join(directory, '.git'), { recursive: true, force: true })
  const files = join(within, `checkout-${base.slice(-6)}`)
  await rename(directory, files)
  await rm(base, { recursive: true, force: true })
  return { directory: files, commit }
}

type Git = (...args: string[]) => Promise<string>

/** Gets what a reference names. A server that gives out no single commits is asked for everything, one of files alone for all history. */
async function fetchCommit(git: Git, ref: string): Promise<string> {
  const wanted = ref === '' ? 'HEAD' : ref
  const fetch = async (...depth: string[]): Promise<string> => {
    await git('fetch', '--quiet', ...depth, '--no-tags', '--end-of-options', 'origin', wanted)
    return git('rev-parse', '--verify', 'FETCH_HEAD^{commit}')
  }
  try {
    return await fetch('--depth=1')
  } catch (error) {
    if (error instanceof EngineError && error.message.includes('does not support shallow')) return fetch()
    if (!/^[0-9a-f]{7,64}$/.test(wanted)) throw error
  }
  await git('fetch', '--quiet', '--tags', '--end-of-options', 'origin', '+refs/heads/*:refs/remotes/origin/*')
  return git('rev-parse', '--verify', '--end-of-options', `${wanted}^{commit}`)
}

async function call(directory: string, home: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const settings = ['core.hooksPath=/dev/null', 'protocol.ext.allow=never', 'protocol.file.allow=never', 'core.fsmonitor=false', 'core.symlinks=true', 'credential.helper=', 'core.sshCommand=/usr/bin/ssh -oBatchMode=yes -oStrictHostKeyChecking=yes']
  const all = [...settings.flatMap((setting) => ['-c', setting]), ...args]
  try {
    const { stdout } = await run(program, all, {
      cwd: directory, signal, maxBuffer: maxOutput, encoding: 'utf8',
      env: {
        PATH: '/usr/bin:/bin', HOME: home, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0',
        GIT_ALLOW_PROTOCOL: protocols, GIT_DIR: join(directory, '.git'), GIT_WORK_TREE: directory, GIT_ASKPASS: '/bin/false', SSH_ASKPASS: '/bin/false',
      },
    })
    return stdout.trim()
  } catch (error) {
    signal.throwIfAborted()
    const { stderr } = error as { stderr?: unknown }
    const message = typeof stderr === 'string' && stderr !== '' ? stderr.trim() : error instanceof Error ? error.message : String(error)
    throw new EngineError('invalid-argument', `failed to fetch remote repository: ${withoutPasswords(message)}`)
  }
}

/** Addresses in messages may hold passwords (CVE-2023-26054). */
function withoutPasswords(text: string): string {
  return text.replace(/([a-z+]+:\/\/)[^/@\s']*@/g, '$1xxxxx@')
}
