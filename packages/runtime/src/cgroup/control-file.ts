import { closeSync, constants, mkdirSync, openSync, readFileSync, rmdirSync, writeSync } from 'node:fs'
import { Errno, SyscallError, errnoName, failedWith, tracer, type TracedValue } from '@engine/linux'

/**
 * Does file work on a cgroup through plain node:fs, but reports it to the tracer like a call through the door, and throws the same error.
 * koffi would win nothing here: the kernel's side of a cgroup write is a hundred times dearer than Node's.
 */
function act(call: string, args: Readonly<Record<string, TracedValue>>, work: () => void): void {
  const report = tracer()
  const start = report === undefined ? 0n : process.hrtime.bigint()
  let errno = 0
  try {
    work()
  } catch (error) {
    errno = errnoOf(error)
  }
  if (report !== undefined) {
    const nanoseconds = Number(process.hrtime.bigint() - start)
    report(errno === 0 ? { call, args, result: 0, nanoseconds } : { call, args, result: -1, errno: errnoName(errno), nanoseconds })
  }
  if (errno !== 0) throw new SyscallError(call, args, errno)
}

function errnoOf(error: unknown): number {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') return -error.errno
  throw error
}

/**
 * Writes a value into a cgroup's control file, in one write(2). The file is never made: what the kernel does not offer is ENOENT.
 * @throws SyscallError `write` with {path, value}
 */
export function writeControl(path: string, value: string): void {
  act('write', { path, value }, () => {
    const fd = openSync(path, constants.O_WRONLY)
    try {
      writeSync(fd, value)
    } finally {
      closeSync(fd)
    }
  })
}

/** Like {@link writeControl}, but says `false` when the kernel has no such file. */
export function writeControlIfThere(path: string, value: string): boolean {
  try {
    writeControl(path, value)
    return true
  } catch (error) {
    if (failedWith(error, Errno.ENOENT)) return false
    throw error
  }
}

/** Makes one cgroup; it being there already is as good. @returns whether it was made. @throws SyscallError */
export function makeGroup(path: string): boolean {
  try {
    act('mkdir', { path }, () => mkdirSync(path, 0o755))
    return true
  } catch (error) {
    if (failedWith(error, Errno.EEXIST)) return false
    throw error
  }
}

/** Removes one cgroup; it being gone already is as good. @returns false when it is in use (EBUSY). @throws SyscallError */
export function removeGroup(path: string): boolean {
  try {
    act('rmdir', { path }, () => rmdirSync(path))
    return true
  } catch (error) {
    if (failedWith(error, Errno.ENOENT)) return true
    if (failedWith(error, Errno.EBUSY, Errno.ENOTEMPTY)) return false
    throw error
  }
}

/** The content of a control file without the line end; undefined when the kernel has no such file, or the cgroup is gone. */
export function readControl(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (error) {
    const errno = errnoOf(error)
    // ENODEV: the cgroup was removed between open and read. EOPNOTSUPP: the file is there but answers nothing (cgroup.procs of a threaded group).
    if (errno === Errno.ENOENT || errno === Errno.ENODEV || errno === Errno.EOPNOTSUPP) return undefined
    throw new SyscallError('read', { path }, errno)
  }
}

/** Lines of `name value` as a map: memory.stat, cpu.stat, memory.events, cgroup.events. */
export function parseFlat(content: string | undefined): Map<string, number> {
  const values = new Map<string, number>()
  for (const line of content?.split('\n') ?? []) {
    const space = line.indexOf(' ')
    if (space > 0) values.set(line.slice(0, space), Number(line.slice(space + 1)))
  }
  return values
}
