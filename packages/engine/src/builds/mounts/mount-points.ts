import { fstatSync, mkdirSync, openSync, closeSync, rmSync, writeFileSync, chownSync, chmodSync, constants } from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { AT_EMPTY_PATH, OPEN_TREE_CLONE, Propagation, fsconfig, fsmount, fsopen, MountAttribute, mountSetattr, moveMount, openTree } from '@engine/linux/mount-api'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import { O_PATH } from '@engine/linux/paths'
import { hostOwner, type Remap } from '../../userns/remap.ts'

/** Bytes that the secrets of one step may have together, with what a file system needs besides. */
const secretBytes = 16 << 20

/**
 * Makes paths of ours out of what a step mounts, which are descriptors and bytes: a container's mounts are named by path. Everything
 * lies in a directory of the step's own, and goes with it; the container keeps what it has mounted meanwhile.
 */
export class MountPoints implements AsyncDisposable {
  readonly #directory: string
  readonly #remap: Remap | undefined
  readonly #mounted: string[] = []
  readonly #servers: Server[] = []
  #count = 0
  #secrets: string | undefined

  /**
   * @param directory that does not exist yet, on a private mount
   * @param remap     the ids that the step has on the host
   */
  constructor(directory: string, remap: Remap | undefined) {
    this.#directory = directory
    this.#remap = remap
    mkdirSync(directory, { mode: 0o700 })
  }

  /** A path to what a descriptor refers to, without what is mounted below it. */
  bind(fd: number): string {
    const path = this.#next()
    if (fstatSync(fd).isDirectory()) mkdirSync(path, { mode: 0o700 })
    else writeFileSync(path, '', { mode: 0o600, flag: 'wx' })
    const tree = openTree(fd, '', OPEN_TREE_CLONE | AT_EMPTY_PATH)
    try {
      mountSetattr(tree, { propagation: Propagation.PRIVATE })
      this.#attach(tree, path)
    } finally {
      closeSync(tree)
    }
    return path
  }

  /** A path to a file with a secret, which is in memory only. */
  secret(data: Buffer, attributes: { readonly mode: number; readonly uid: number; readonly gid: number }): string {
    this.#secrets ??= this.#memory()
    const path = join(this.#secrets, String(this.#count++))
    writeFileSync(path, data, { mode: 0o600, flag: 'wx' })
    this.#own(path, attributes)
    return path
  }

  /** A path to a socket that leads to another one. */
  async socket(target: string, attributes: { readonly mode: number; readonly uid: number; readonly gid: number }): Promise<string> {
    const path = this.#next()
    const server = createServer((client) => {
      const agent = createConnection(target)
      const end = (): void => {
        client.destroy()
        agent.destroy()
      }
      client.on('error', end).on('close', end)
      agent.on('error', end).on('close', end)
      client.pipe(agent).pipe(client)
    })
    this.#servers.push(server)
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
    this.#own(path, attributes)
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) server.close()
    for (const path of this.#mounted.toReversed()) unmount(path, MNT_DETACH | UMOUNT_NOFOLLOW)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #own(path: string, { mode, ...ids }: { readonly mode: number; readonly uid: number; readonly gid: number }): void {
    const { uid, gid } = hostOwner(this.#remap, ids)
    chownSync(path, uid, gid)
    chmodSync(path, mode)
  }

  /** A tmpfs, so that no disk ever has what is written there. */
  #memory(): string {
    const path = this.#next()
    mkdirSync(path, { mode: 0o700 })
    const context = fsopen('tmpfs')
    try {
      fsconfig(context, 'source', 'secrets')
      fsconfig(context, 'size', String(secretBytes))
      fsconfig(context, 'mode', '0700')
      const mount = fsmount(context, MountAttribute.NOSUID | MountAttribute.NODEV | MountAttribute.NOEXEC)
      try {
        mountSetattr(mount, { propagation: Propagation.PRIVATE })
        this.#attach(mount, path)
      } finally {
        closeSync(mount)
      }
    } finally {
      closeSync(context)
    }
    return path
  }

  #attach(mount: number, path: string): void {
    const place = openSync(path, O_PATH | constants.O_NOFOLLOW)
    try {
      moveMount(mount, place)
      this.#mounted.push(path)
    } finally {
      closeSync(place)
    }
  }

  #next(): string {
    return join(this.#directory, String(this.#count++))
  }
}
