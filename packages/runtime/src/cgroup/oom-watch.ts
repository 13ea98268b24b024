import { closeSync, constants, openSync, readSync } from 'node:fs'
import { eventfdCreate } from '@engine/linux/eventfd'
import { IN_MODIFY, inotifyCreate, inotifyWatch } from '@engine/linux/inotify'
import { writeControl } from './control-file.ts'
import { oomKills } from './events.ts'
import { cgroupLayout } from './hierarchy.ts'

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
  const event = eventfdCreate()
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
  const fd = inotifyCreate()
  try {
    inotifyWatch(fd, file, IN_MODIFY)
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
