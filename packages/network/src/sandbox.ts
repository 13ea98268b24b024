import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { EngineError } from '@engine/linux'
import { bindMount } from '@engine/linux/mount'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import { inNetworkNamespace } from '@engine/linux/setns'
import { inNewNetworkNamespace, primeThreads } from '@engine/linux/unshare'
import { turnLoopbackOn, type SpareNamespace } from './spare-namespace.ts'

/** Where a sandbox's namespace comes from, if it is not made then. */
export interface NamespaceSource {
  /** Descriptor of a new network namespace, which belongs to a user namespace. */
  readonly made?: number | undefined
  /** What may have one. */
  readonly spare?: SpareNamespace | undefined
}

/**
 * Makes a network namespace with its loopback up and nothing else (all that `--network none` has), and keeps it alive by a bind
 * mount at `path`. The window in the new namespace is synchronous, so that any number of these can be under way.
 * @param path of a file that does not exist yet, as `/run/engine/netns/<id>`
 * @throws EngineError conflict when the file exists; SyscallError
 */
export async function createSandbox(path: string, { made, spare }: NamespaceSource = {}): Promise<void> {
  await primeThreads()
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  createFile(path)
  try {
    using ready = made === undefined ? spare?.take() : undefined
    const settle = (): void => {
      turnLoopbackOn()
      bindMount('/proc/thread-self/ns/net', path)
    }
    if (ready !== undefined) bindMount(`/proc/thread-self/fd/${ready.fd}`, path)
    else if (made !== undefined) inNetworkNamespace(made, settle)
    else inNewNetworkNamespace(settle)
  } catch (error) {
    removeSandbox(path)
    throw error
  }
}

/**
 * Lets a sandbox go: the namespace ends, and its links with it, as soon as no process is in it any more. Nothing happens when
 * it is gone already.
 */
export function removeSandbox(path: string): void {
  // A mount may lie on another, where a crash came between; each call takes the topmost away.
  while (unmount(path, MNT_DETACH | UMOUNT_NOFOLLOW));
  rmSync(path, { force: true })
}

/** Names of the sandboxes in a directory, in whatever state a crash left them; none when there is no directory. */
export function listSandboxes(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** The sandboxes of a directory whose namespace is there; a file without a mount is what a crash within createSandbox leaves. */
export function listMountedSandboxes(directory: string): string[] {
  const mounted = new Set(readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => unescapeMountPath(line.split(' ')[4] ?? '')))
  return listSandboxes(directory).filter((name) => mounted.has(join(directory, name)))
}

function createFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o400))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    throw new EngineError('conflict', `network sandbox ${path} exists already`, { cause })
  }
}

/** mountinfo writes spaces, tabs, newlines and backslashes as `\040` and so on (proc_pid_mountinfo(5)). */
function unescapeMountPath(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
