import { closeSync, constants, openSync, readSync } from 'node:fs'
import { door } from '@engine/linux'
import { libc } from '@engine/linux/libc'
import { writeControl } from './control-file.ts'
import { oomKills } from './events.ts'
import { cgroupLayout } from './hierarchy.ts'

const EFD_NONBLOCK = 0o4000
const EFD_CLOEXEC = 0o2000000
const IN_MODIFY = 2

const eventfd: (initial: number, flags: number) => number = libc.func('int eventfd(unsigned int, int)')
const inotifyInit1: (flags: number) => number = libc.func('int inotify_init1(int)')
const inotifyAddWatch: (fd: number, path: string, mask: number) => number = libc.func('int inotify_add_watch(int, const char *, uint32_t)')

/** A descriptor that becomes readable when a cgroup may have run out of memory, for somebody's epoll. */
export interface OomWatch extends Disposable {
  /** Non-blocking, close-on-exec; not for net.Socket. */
  readonly fd: number
  /** Call it when `fd` is readable: takes the event away. @returns how many processes were killed since it was last called */
  take(): number
}

/**
 * Watches a cgroup for kills for want of memory (`docker events`: oom). Open it before the container starts, dispose of it before the
 * cgroup is removed. Undefined without a memory controller.
 * v1: an eventfd that cgroup.event_control connects with memory.oom_control; v2: inotify on memory.events.
 * @throws SyscallError ENOENT when the cgroup is gone
 */
export function watchOom(path: string): OomWatch | undefined {
  const place = cgroupLayout().place('memory', path)
  if (place === undefined) return undefined
  const fd = place.version === 1 ? connectEventfd(place.directory) : watchFile(`${place.directory}/memory.events`)
  let before = oomKills(path)
  const content = Buffer.alloc(4096)
  return {
    fd,
    take: () => {
      drain(fd, content)
      const now = oomKills(path)
      const killed = now - before
      before = now
      return killed
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}

function connectEventfd(directory: string): number {
  const event = door('eventfd', () => ({}), () => eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC))
  try {
    const control = openSync(`${directory}/memory.oom_control`, constants.O_RDONLY)
    try {
      writeControl(`${directory}/cgroup.event_control`, `${event} ${control}`)
    } finally {
      closeSync(control)
    }
    return event
  } catch (error) {
    closeSync(event)
    throw error
  }
}

function watchFile(file: string): number {
  const fd = door('inotify_init1', () => ({}), () => inotifyInit1(EFD_NONBLOCK | EFD_CLOEXEC))
  try {
    door('inotify_add_watch', () => ({ path: file, mask: 'IN_MODIFY' }), () => inotifyAddWatch(fd, file, IN_MODIFY))
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function drain(fd: number, content: Buffer): void {
  try {
    readSync(fd, content)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
  }
}
