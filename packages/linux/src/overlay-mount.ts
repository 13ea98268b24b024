import { constants, readSync } from 'node:fs'
import { AT_FDCWD } from './at-flags.ts'
import { Descriptor } from './descriptor.ts'
import { Errno } from './errno.ts'
import { EngineError } from './error.ts'
import { mount, privateOrGone } from './mount.ts'
import { fsconfig, fsmount, fsopen, moveMount, mountSetattr, Propagation } from './mount-api.ts'
import { O_PATH, openat2 } from './openat2.ts'
import { failedWith, SyscallError } from './syscall-error.ts'

/** The directories of an overlay (kernel, Documentation/filesystems/overlayfs.rst), by absolute paths that are the caller's own. */
export interface OverlayDirectories {
  /** Topmost first; at least one. */
  readonly lower: readonly string[]
  readonly upper: string
  readonly work: string
}

export interface OverlayOptions {
  /** Never write the upper directory to disk by itself: unmounting is fast, and a crash may leave anything in it. */
  readonly volatile: boolean
}

/** fsconfig(2) copies values of at most so many bytes, with their NUL. */
const maxValue = 256
/** mount(2) takes one page of options. */
const pageSize = 4096
/** What the project decided: no renamed directories by reference and no metadata-only copies, which only make sense with the very same layers. */
const fixed = { index: 'off', redirect_dir: 'off', metacopy: 'off' } as const

/**
 * Mounts an overlay at `target`, with private propagation. Runs in the mount namespace of the calling process.
 * Since Linux 6.5 layers are given one by one (up to 500); on older kernels all go into mount(2)'s one page.
 * @throws SyscallError, or EngineError with the kernel's own explanation as cause
 */
export function mountOverlay(directories: OverlayDirectories, target: string, options: OverlayOptions): void {
  const long = [...directories.lower, directories.upper, directories.work].some((path) => Buffer.byteLength(path) >= maxValue)
  if (!long && !layerByLayerFails) {
    try {
      mountLayerByLayer(directories, target, options)
      return
    } catch (error) {
      // A kernel that does not know `lowerdir+`, or none of these calls.
      if (!(error instanceof UnknownParameter) && !failedWith(error, Errno.ENOSYS)) throw error
      layerByLayerFails = true
    }
  }
  mountAtOnce(directories, target, options)
}

let layerByLayerFails = false

/** The kernel does not know an option that this code could do without. */
class UnknownParameter extends Error {}

function mountLayerByLayer(directories: OverlayDirectories, target: string, options: OverlayOptions): void {
  using fs = new Descriptor(fsopen('overlay'))
  const setting = (key: string, value?: string): void => {
    try {
      fsconfig(fs.fd, key, value)
    } catch (error) {
      throw explained(fs.fd, error)
    }
  }
  setting('source', 'overlay')
  for (const lower of directories.lower) {
    try {
      fsconfig(fs.fd, 'lowerdir+', lower)
    } catch (error) {
      const explanation = explained(fs.fd, error)
      throw failedWith(error, Errno.EINVAL) && /unknown parameter/i.test(explanation.message) ? new UnknownParameter() : explanation
    }
  }
  setting('upperdir', directories.upper)
  setting('workdir', directories.work)
  for (const [key, value] of Object.entries(fixed)) setting(key, value)
  if (options.volatile) setting('volatile')
  let mount: Descriptor
  try {
    mount = new Descriptor(fsmount(fs.fd, 0))
  } catch (error) {
    throw explained(fs.fd, error)
  }
  using detached = mount
  using directory = openat2(AT_FDCWD, target, O_PATH | constants.O_DIRECTORY, 0)
  mountSetattr(detached.fd, { propagation: Propagation.PRIVATE })
  moveMount(detached.fd, directory.fd)
}

/** With every directory as /proc/self/fd/N, so that some two hundred layers fit into the page. */
function mountAtOnce(directories: OverlayDirectories, target: string, options: OverlayOptions): void {
  using stack = new DisposableStack()
  const short = (path: string): string => `/proc/self/fd/${stack.use(openat2(AT_FDCWD, path, O_PATH | constants.O_DIRECTORY, 0)).fd}`
  const data = [
    `lowerdir=${directories.lower.map(short).join(':')}`,
    `upperdir=${short(directories.upper)}`,
    `workdir=${short(directories.work)}`,
    ...Object.entries(fixed).map(([key, value]) => `${key}=${value}`),
    ...(options.volatile ? ['volatile'] : []),
  ].join(',')
  if (Buffer.byteLength(data) >= pageSize) throw new EngineError('invalid-argument', `${directories.lower.length} layers are more than this kernel can mount`)
  mount('overlay', target, 'overlay', 0, data)
  privateOrGone(target)
}

/** The failure with what the kernel wrote about it into the file system's descriptor (`e overlay: …`). */
function explained(fs: number, error: unknown): Error {
  const message = Buffer.alloc(1024)
  const lines: string[] = []
  try {
    for (;;) lines.push(message.toString('utf8', 0, readSync(fs, message)).trim())
  } catch {
    // ENODATA: that was all.
  }
  if (!(error instanceof SyscallError)) return error instanceof Error ? error : new Error(String(error))
  return lines.length === 0 ? error : new EngineError('internal', `${error.message}: ${lines.join('; ')}`, { cause: error })
}
