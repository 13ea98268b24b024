import { MountAttribute, Propagation } from '@engine/linux/mount-api'

/** A mount's option words, sorted by who understands them. */
export interface MountOptions {
  /** MOUNT_ATTR_… bits to set and to clear on the mount. */
  readonly set: number
  readonly clear: number
  /** The same, on the mount and everything below it (`rro`, `rnosuid`, `rrw`, …). */
  readonly recursiveSet: number
  readonly recursiveClear: number
  /** MS_PRIVATE and its like; 0 when nothing is said. */
  readonly propagation: number
  readonly propagationRecursive: boolean
  readonly bind: boolean
  readonly recursiveBind: boolean
  /** For the file system itself: `size=64k`, `mode=755`, flags without a value. */
  readonly data: readonly (readonly [key: string, value: string | undefined])[]
}

const attributes: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [MountAttribute.RDONLY, 0],
  rw: [0, MountAttribute.RDONLY],
  nosuid: [MountAttribute.NOSUID, 0],
  suid: [0, MountAttribute.NOSUID],
  nodev: [MountAttribute.NODEV, 0],
  dev: [0, MountAttribute.NODEV],
  noexec: [MountAttribute.NOEXEC, 0],
  exec: [0, MountAttribute.NOEXEC],
  noatime: [MountAttribute.NOATIME, MountAttribute.ATIME],
  relatime: [0, MountAttribute.ATIME],
  strictatime: [MountAttribute.STRICTATIME, MountAttribute.ATIME],
  nodiratime: [MountAttribute.NODIRATIME, 0],
  diratime: [0, MountAttribute.NODIRATIME],
  nosymfollow: [MountAttribute.NOSYMFOLLOW, 0],
  symfollow: [0, MountAttribute.NOSYMFOLLOW],
}

const propagations: Readonly<Record<string, number>> = {
  private: Propagation.PRIVATE,
  slave: Propagation.SLAVE,
  shared: Propagation.SHARED,
  unbindable: Propagation.UNBINDABLE,
}

/** Words of mount(8) that mean nothing to the kernel here. */
const ignored = new Set(['defaults', 'async', 'tmpcopyup', 'nofail', '_netdev'])

/** Sorts mount(8) and OCI option words (runtime-spec config.md, "Linux mount options"). Pure. */
export function parseMountOptions(words: readonly string[]): MountOptions {
  let set = 0
  let clear = 0
  let recursiveSet = 0
  let recursiveClear = 0
  let propagation = 0
  let propagationRecursive = false
  let bind = false
  let recursiveBind = false
  const data: (readonly [string, string | undefined])[] = []
  for (const word of words) {
    const plain = attributes[word]
    const recursive = word.startsWith('r') ? attributes[word.slice(1)] : undefined
    const propagated = propagations[word]
    const recursivelyPropagated = word.startsWith('r') ? propagations[word.slice(1)] : undefined
    if (plain !== undefined) {
      set = (set & ~plain[1]) | plain[0]
      clear = (clear & ~plain[0]) | plain[1]
    } else if (propagated !== undefined) {
      propagation = propagated
    } else if (recursivelyPropagated !== undefined) {
      propagation = recursivelyPropagated
      propagationRecursive = true
    } else if (recursive !== undefined) {
      recursiveSet = (recursiveSet & ~recursive[1]) | recursive[0]
      recursiveClear = (recursiveClear & ~recursive[0]) | recursive[1]
    } else if (word === 'bind') {
      bind = true
    } else if (word === 'rbind') {
      bind = true
      recursiveBind = true
    } else if (!ignored.has(word) && word !== '') {
      const equals = word.indexOf('=')
      data.push(equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)])
    }
  }
  return { set, clear, recursiveSet, recursiveClear, propagation, propagationRecursive, bind, recursiveBind, data }
}
