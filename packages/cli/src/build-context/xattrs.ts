/** Reads the extended attributes of a file or directory that go with a context. */
export type ReadXattrs = (path: string) => readonly (readonly [name: string, value: Buffer])[]

/**
 * Loads what reads extended attributes; Node itself cannot. What goes along is what a copy keeps: the user's, as BuildKit's command sends
 * them, and capabilities, as docker's tar has them. Loaded with the first file that is sent, so that nothing else pays for it.
 */
export async function loadXattrs(): Promise<ReadXattrs> {
  const { getXattr, listXattrs } = await import('@engine/linux/xattr')
  return (path) => {
    // A name with = cannot be told in a PAX header.
    const names = listXattrs(path).filter((name) => name === 'security.capability' || (name.startsWith('user.') && !name.includes('=')))
    return names.flatMap((name) => {
      const value = getXattr(path, Buffer.from(name, 'latin1'))
      return value === undefined ? [] : [[name, value] as const]
    })
  }
}
