import { readFileSync, writeFileSync } from 'node:fs'
import { errnoName } from './errno.ts'
import { EngineError } from './error.ts'
import { privateProc } from './private-proc.ts'
import { SyscallError } from './syscall-error.ts'
import { tracer } from './tracer.ts'

/**
 * A kernel parameter's value, as /proc/sys shows it to this thread's namespaces, without the newline.
 * @param name path below /proc/sys: `net/ipv4/ip_forward` (a dot may be part of a link's name, so parts are divided by `/`)
 * @throws SyscallError ENOENT when the kernel does not have it
 */
export function readSysctl(name: string): string {
  return access('read', name, {}, (path) => readFileSync(path, 'utf8').trimEnd())
}

/** Sets a kernel parameter in this thread's namespaces. @throws SyscallError ENOENT, EACCES, EROFS, EINVAL */
export function writeSysctl(name: string, value: string): void {
  access('write', name, { value }, (path) => writeFileSync(path, value, { flag: 'r+' }))
}

function access<T>(call: string, name: string, detail: Readonly<Record<string, string>>, work: (path: string) => T): T {
  if (!/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/.test(name) || name.split('/').includes('..')) {
    throw new EngineError('invalid-argument', `invalid kernel parameter: ${JSON.stringify(name)}`)
  }
  const path = `${privateProc()}/sys/${name}`
  const args = { path: `/proc/sys/${name}`, ...detail }
  const report = call === 'write' ? tracer() : undefined
  const start = report === undefined ? 0n : process.hrtime.bigint()
  try {
    const result = work(path)
    report?.({ call, args, result: 0, nanoseconds: Number(process.hrtime.bigint() - start) })
    return result
  } catch (error) {
    const errno = -((error as NodeJS.ErrnoException).errno ?? 0)
    if (errno <= 0) throw error
    report?.({ call, args, result: -1, errno: errnoName(errno), nanoseconds: Number(process.hrtime.bigint() - start) })
    throw new SyscallError(call, args, errno)
  }
}
