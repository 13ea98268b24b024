import { getXattrOf, listXattrsOf } from '@engine/linux/xattr'

/**
 * The extended attributes of a file or directory that a copy keeps: the user's and capabilities. Others say what it is to this machine
 * (an overlay's marks, labels of a security module), or are made by the kernel from what else is copied.
 * @param fd its descriptor, O_PATH or not
 */
export function copiedXattrs(fd: number): (readonly [name: string, value: Buffer])[] {
  const names = listXattrsOf(fd).filter((name) => name === 'security.capability' || name.startsWith('user.'))
  return names.flatMap((name) => {
    const value = getXattrOf(fd, name)
    return value === undefined ? [] : [[name, value] as const]
  })
}
