import { Errno, errnoText } from '@engine/linux'
import { AT_FDCWD } from '@engine/linux/at-flags'
import { O_PATH } from '@engine/linux/openat2'
import type { Program, Result } from '@engine/linux/program'
import type { OciProcess } from '../spec.ts'
import { passing, type GuardedFilter } from './passage.ts'
import { openHow } from './path-in-root.ts'

const O_DIRECTORY = 0o200000
const CLOSE_RANGE_CLOEXEC = 4
const SECCOMP_SET_MODE_FILTER = 1
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Appends: the working directory, resolved in the container's root without magic links, so that no descriptor that leaked
 * can be it (CVE-2024-21626). After the change of user: it is that user's right to enter it that counts.
 */
export function enterDirectory(program: Program, path: string, passage: bigint | undefined): void {
  const failure = `chdir to cwd ("${path}") set in config.json failed`
  const fd = program.call('openat2', passing(passage, [AT_FDCWD, program.string(path), openHow(program, O_PATH | O_DIRECTORY), 24]), { args: { path, flags: 'O_PATH|O_DIRECTORY' }, failure, again: Errno.EAGAIN })
  program.call('fchdir', passing(passage, [fd]), { args: { path }, failure })
}

/** The file names that execve is to try, as execvpe(3) does it: those in PATH, or the one given when it has a slash. */
export function candidates(name: string, env: readonly string[]): string[] {
  if (name.includes('/')) return [name]
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice(5) ?? DEFAULT_PATH
  return path.split(':').map((directory) => `${directory === '' ? '.' : directory}/${name}`)
}

/** Appends: the filter, and with it the end of all calls that it does not let pass. */
export function loadFilter(program: Program, filter: GuardedFilter | undefined): void {
  if (filter === undefined) return
  const instructions = filter.bytes.length / 8
  const described = program.words(instructions, program.bytes(filter.bytes))
  program.call('seccomp', [SECCOMP_SET_MODE_FILTER, filter.flags, described], { args: { operation: 'SECCOMP_SET_MODE_FILTER', flags: filter.flags, instructions }, failure: 'error loading seccomp filter' })
}

/** A process's arguments in the program's memory, and what is tried to execute. */
export interface Execution {
  /** Appends the end of every birth: execve of the first candidate that is there. @returns the calls, in the order in which they are tried */
  execute(): Result[]
}

/** Lays out arguments and environment. */
export function layOutExecution(program: Program, { args, env }: OciProcess): Execution {
  const argv = program.strings(args)
  const envp = program.strings(env)
  const paths = candidates(args[0] ?? '', env).map((path) => ({ path, address: program.string(path) }))
  return {
    execute: () =>
      paths.map(({ path, address }) =>
        program.call('execve', [address, argv, envp], {
          args: { path, argc: args.length },
          // ENOEXEC and the like end the search; these only mean that the next one may fit.
          allow: [Errno.ENOENT, Errno.ENOTDIR, Errno.EACCES, Errno.ENAMETOOLONG],
          failure: `exec ${path}`,
        }),
      ),
  }
}

/** Appends: every descriptor above 2 is closed by execve. By now these are our own few; the kernel does it for whatever there is. */
export function closeByExecve(program: Program): void {
  program.call('close_range', [3, 0xffff_ffff, CLOSE_RANGE_CLOEXEC], { args: { first: 3, last: 'max', flags: 'CLOSE_RANGE_CLOEXEC' } })
}

/** What Docker says when none of the calls found a program. @param kind tells what a path is, seen afterwards */
export function notExecuted(program: Program, { args, env }: OciProcess, calls: readonly Result[], kind: (path: string) => 'file' | 'directory' | undefined): { errno: number; message: string } {
  const name = args[0] ?? ''
  const errnos = calls.map((call) => program.errno(call))
  // Found, but its interpreter (`#!`, or the dynamic loader) is not.
  const broken = candidates(name, env).find((path, i) => errnos[i] === Errno.ENOENT && kind(path) === 'file')
  if (broken !== undefined) return { errno: Errno.ENOENT, message: `exec ${broken}: no such file or directory` }
  if (!name.includes('/')) return { errno: Errno.ENOENT, message: `exec: "${name}": executable file not found in $PATH` }
  const errno = errnos[0] ?? Errno.ENOENT
  if (errno === Errno.EACCES && kind(name) === 'directory') return { errno: Errno.EISDIR, message: `exec: "${name}": is a directory: ${errnoText(errno)}` }
  if (errno !== Errno.EACCES) return { errno, message: `exec: "${name}": stat ${name}: ${errnoText(errno)}` }
  return { errno, message: `exec: "${name}": ${errnoText(errno)}` }
}
