import { Errno } from '@engine/linux'
import { O_CLOEXEC, O_PATH, Resolve } from '@engine/linux/openat2'
import { Label, type Program } from '@engine/linux/program'
import { moveTo, slots } from './descriptors.ts'

const O_CREAT = 0o100
const O_NOFOLLOW = 0o400000
const O_DIRECTORY = 0o200000

/** Lays out struct open_how (openat2(2)): flags, mode, resolve; paths stay in the container's root and pass no magic link. */
export function openHow(program: Program, flags: number, noSymlinks = false): number {
  return program.words(flags | O_CLOEXEC, 0, Resolve.IN_ROOT | Resolve.NO_MAGICLINKS | (noSymlinks ? Resolve.NO_SYMLINKS : 0))
}

interface OpenPath {
  /** Where to go on when there is no such path; without it that is a failure. */
  readonly missing?: Label
  /** What the user is told when it fails. */
  readonly failure: string
  readonly quiet?: boolean
  /** open(2) flags besides O_PATH. */
  readonly flags?: number
  /** Fail (ELOOP) when a component is a symbolic link. */
  readonly noSymlinks?: boolean
}

/**
 * Appends: open a path inside the container's root (O_PATH) onto a slot. Runs in the child, after the root is there.
 * What the path names belongs to the image: only openat2(2) resolves it (CVE-2021-30465, CVE-2024-45310).
 */
export function openPath(program: Program, path: string, slot: number, options: OpenPath): void {
  const fd = program.call('openat2', [slots().root, program.string(path), openHow(program, O_PATH | (options.flags ?? 0), options.noSymlinks), 24], {
    args: { root: 'container', path, flags: 'O_PATH' },
    failure: options.failure,
    // A rename or mount anywhere on the host came in between a `..` (openat2(2)).
    again: Errno.EAGAIN,
    ...(options.missing === undefined ? {} : { allow: [Errno.ENOENT, Errno.ENOTDIR], onAllowed: options.missing }),
    ...(options.quiet === undefined ? {} : { quiet: options.quiet }),
  })
  moveTo(program, slot, fd)
}

/**
 * Appends: make sure that a mount's target exists, with the directories above it, and open it onto slot `target`.
 * @param kind    what to make where nothing is: a directory, or an empty file for a bind of a file. What is there must be of that kind
 * @param failure what the user is told, before the errno's text
 */
export function openTarget(program: Program, path: string, kind: 'directory' | 'file', failure: string, noSymlinks = false): void {
  const { target } = slots()
  const make = new Label()
  const flags = kind === 'directory' ? O_DIRECTORY : 0
  openPath(program, path, target, { missing: make, failure, quiet: true, noSymlinks, flags })
  const there = new Label()
  jump(program, there)
  program.place(make)
  const names = path.split('/').filter((name) => name !== '' && name !== '.')
  names.forEach((name, i) => {
    const parent = `/${names.slice(0, i).join('/')}`
    openPath(program, parent, target, { failure, quiet: true })
    const last = i === names.length - 1
    if (last && kind === 'file') {
      const fd = program.call('openat', [target, program.string(name), O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644], {
        args: { path, flags: 'O_CREAT|O_NOFOLLOW', mode: 0o644 },
        failure,
      })
      program.call('close', [fd], { args: {}, quiet: true })
    } else {
      program.call('mkdirat', [target, program.string(name), 0o755], { args: { path: `${parent === '/' ? '' : parent}/${name}`, mode: 0o755 }, allow: [Errno.EEXIST], failure })
    }
  })
  openPath(program, path, target, { failure, quiet: true, noSymlinks, flags })
  program.place(there)
  if (kind === 'file') refuseDirectory(program, failure)
}

/** Appends: fail with ENOTDIR, as mount(2) does, when slot `target` is a directory (move_mount(2) would say EINVAL). */
function refuseDirectory(program: Program, failure: string): void {
  const file = new Label()
  const directory = program.call('openat', [slots().target, program.string('.'), O_PATH | O_DIRECTORY | O_CLOEXEC, 0], { args: {}, quiet: true, allow: [Errno.ENOTDIR], onAllowed: file, failure })
  program.call('close', [directory], { args: {}, quiet: true })
  // What lies in a file is never there.
  program.call('openat', [slots().nothing, program.string('.'), O_PATH | O_CLOEXEC, 0], { args: {}, failure })
  program.place(file)
}

/** Appends an unconditional jump: dup3(2) of a descriptor onto itself is always EINVAL, and an allowed failure goes where it is told. */
export function jump(program: Program, to: Label): void {
  const { nothing } = slots()
  program.call('dup3', [nothing, nothing, O_CLOEXEC], { args: {}, quiet: true, allow: [Errno.EINVAL], onAllowed: to })
}

const FUTEX_WAIT_PRIVATE = 128

/**
 * Appends: fail when a 32-bit number in the program's memory has a value that must not be. A table has no comparison of its
 * own, but futex(2) has one: FUTEX_WAIT with no time to wait is EAGAIN when the word differs, and ETIMEDOUT when it is equal.
 */
export function refuseWhenEqual(program: Program, word: number, value: number, failure: string): void {
  program.call('futex', [word, FUTEX_WAIT_PRIVATE, value, program.words(0, 0), 0, 0], { args: {}, quiet: true, allow: [Errno.EAGAIN], failure })
}
