import { closeSync, fstatSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { ioctl } from '@engine/linux/ioctl'
import { fsconfig, fsmount, fsopen, MountAttribute } from '@engine/linux/mount-api'
import { O_CLOEXEC, Resolve, openat2 } from '@engine/linux/openat2'

const O_RDWR = 2
const O_NOCTTY = 0o400
const O_NONBLOCK = 0o4000
const TIOCSPTLCK = 0x40045431
const TIOCGPTPEER = 0x5441

/** A terminal: the master stays with the shim, the slave becomes the process's standard streams. */
export interface Terminal {
  readonly master: number
  readonly slave: number
}

/**
 * A devpts instance of a container's own, not attached to anything yet, and a terminal in it. Made in the shim, before the
 * child exists: the master never has to be handed over, and no name of the container's is looked up.
 * @param data devpts options such as `gid=5` and `mode=0620`; `newinstance` is understood by itself
 */
export function makeTerminal(data: readonly (readonly [string, string | undefined])[]): Terminal & { readonly devpts: number } {
  const context = fsopen('devpts')
  try {
    fsconfig(context, 'source', 'devpts')
    for (const [key, value] of data) if (key !== 'newinstance') fsconfig(context, key, value)
    const devpts = fsmount(context, MountAttribute.NOSUID | MountAttribute.NOEXEC)
    try {
      return { devpts, ...openTerminal(devpts, 'ptmx', 0) }
    } catch (error) {
      closeSync(devpts)
      throw error
    }
  } finally {
    closeSync(context)
  }
}

/**
 * A terminal in a running container's devpts, for an exec. The container may have put anything at that name: only a
 * character device 5:2 reached without links is opened as a terminal.
 * @param root descriptor of the container's root directory
 * @throws EngineError when the container has no usable /dev/pts
 */
export function openContainerTerminal(root: number): Terminal {
  return openTerminal(root, 'dev/pts/ptmx', Resolve.IN_ROOT | Resolve.NO_SYMLINKS | Resolve.NO_MAGICLINKS)
}

function openTerminal(directory: number, path: string, resolve: number): Terminal {
  using opened = openat2(directory, path, O_RDWR | O_NOCTTY | O_NONBLOCK, resolve)
  const status = fstatSync(opened.fd)
  const isPtmx = status.isCharacterDevice() && status.rdev === ((5 << 8) | 2)
  if (!isPtmx) throw new EngineError('invalid-argument', `cannot open a terminal: /${path} of the container is not a pseudoterminal master`)
  const unlock = Buffer.alloc(4)
  ioctl(opened.fd, 'TIOCSPTLCK', TIOCSPTLCK, unlock)
  const slave = ioctl(opened.fd, 'TIOCGPTPEER', TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)
  return { master: opened.release(), slave }
}
