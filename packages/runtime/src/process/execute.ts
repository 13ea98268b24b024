import { Errno, errnoText } from '@engine/linux'
import { AT_FDCWD } from '@engine/linux/at-flags'
import { O_PATH } from '@engine/linux/openat2'
import type { Program, Result } from '@engine/linux/program'
import type { OciProcess } from '../spec.ts'
import { openHow } from './path-in-root.ts'

const O_DIRECTORY = 0o200000
const CLOSE_RANGE_CLOEXEC = 4
const SECCOMP_SET_MODE_FILTER = 1
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Appends: the working directory, resolved in the container's root without magic links, so that no descriptor that leaked
 * can be it (CVE-2024-21626). After the change of user: it is that user's right to enter it that counts.
 */
export function enterDirectory(program: Program, path: string): void {
  const failure = `chdir to cwd ("${path}") set in config.json failed`
  const fd = program.call('openat2', [AT_FDCWD, program.string(path), openHow(program, O_PATH | O_DIRECTORY), 24], { args: { path, flags: 'O_PATH|O_DIRECTORY' }, failure })
  program.call('fchdir', [fd], { args: { path }, failure })
}

/** The file names that execve is to try, as execvpe(3) does it: those in PATH, or the one given when it has a slash. */
export function candidates(name: string, env: readonly string[]): string[] {
  if (name.includes('/')) return [name]
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  return path.split(':').map((directory) => `${directory === '' ? '.' : directory}/${name}`)
}

/**
 * Appends the end of every birth: all descriptors above 2 close-on-exec, then the filter, then execve. Nothing comes between
 * the last two, so that a strict filter meets nothing of ours. Arguments are laid out beforehand.
 * @param filter the compiled seccomp program (struct sock_filter[])
 * @returns the execve calls, in the order in which they are tried
 */
export function execute(program: Program, process: OciProcess, filter: Buffer | undefined): Result[] {
  const name = process.args[0] ?? ''
  const argv = program.strings(process.args)
  const envp = program.strings(process.env)
  const paths = candidates(name, process.env).map((path) => ({ path, address: program.string(path) }))
  const filterProgram = filter === undefined ? undefined : program.words(filter.length / 8, program.bytes(filter))
  program.call('close_range', [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC], { args: { first: 3, last: 'max', flags: 'CLOSE_RANGE_CLOEXEC' } })
  if (filterProgram !== undefined && filter !== undefined) {
    program.call('seccomp', [SECCOMP_SET_MODE_FILTER, 0, filterProgram], { args: { operation: 'SECCOMP_SET_MODE_FILTER', instructions: filter.length / 8 }, failure: 'error loading seccomp filter' })
  }
  return paths.map(({ path, address }) =>
    program.call('execve', [address, argv, envp], {
      args: { path, argc: process.args.length },
      // ENOEXEC and the like end the search; these only mean that the next one may fit.
      allow: [Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES],
      failure: `exec ${path}`,
    }))
}

/** What Docker says when none of the calls found a program. @param kind tells what the name itself is, seen afterwards */
export function notExecuted(program: Program, name: string, calls: readonly Result[], kind: (path: string) => 'file' | 'directory' | undefined): { errno: number; message: string } {
  const errnos = calls.map((call) => program.errno(call))
  if (!name.includes('/')) return { errno: Errno.ENOENT, message: `exec: "${name}": executable file not found in $PATH` }
  const errno = errnos[0] ?? Errno.ENOENT
  const found = kind(name)
  if (errno === Errno.EACCES && found === 'directory') return { errno: Errno.EISDIR, message: `exec: "${name}": is a directory` }
  // The file is there, its interpreter (`#!`, or the dynamic loader) is not.
  if (errno === Errno.ENOENT && found === 'file') return { errno, message: `exec ${name}: no such file or directory` }
  if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) return { errno, message: `exec: "${name}": stat ${name}: ${errnoText(errno)}` }
  return { errno, message: `exec: "${name}": ${errnoText(errno)}` }
}
