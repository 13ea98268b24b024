import { libc } from './libc.ts'
import { door } from './door.ts'

const PR_SET_DUMPABLE = 4
const PR_SET_NAME = 15
const PR_SET_CHILD_SUBREAPER = 36

const prctl = libc.func('int prctl(int, const void *, ulong, ulong, ulong)') as (option: number, value: Buffer, b: number, c: number, d: number) => number
const prctlNumber = libc.func('int prctl(int, ulong, ulong, ulong, ulong)') as (option: number, value: number, b: number, c: number, d: number) => number

/** prctl(PR_SET_NAME): the calling thread's name, at most 15 bytes; the main thread's is what ps(1) shows. */
export function setThreadName(name: string): void {
  const bytes = Buffer.alloc(16)
  bytes.write(name.slice(0, 15))
  door('prctl', () => ({ option: 'PR_SET_NAME', name }), () => prctl(PR_SET_NAME, bytes, 0, 0, 0))
}

/** prctl(PR_SET_DUMPABLE): whether others of the same user may trace this process and read its /proc files. execve sets it back to 1. */
export function setDumpable(dumpable: boolean): void {
  door('prctl', () => ({ option: 'PR_SET_DUMPABLE', dumpable }), () => prctlNumber(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0))
}

/** prctl(PR_SET_CHILD_SUBREAPER): whether descendants whose parent dies become this process's children. */
export function setChildSubreaper(subreaper: boolean): void {
  door('prctl', () => ({ option: 'PR_SET_CHILD_SUBREAPER', subreaper }), () => prctlNumber(PR_SET_CHILD_SUBREAPER, subreaper ? 1 : 0, 0, 0, 0))
}
