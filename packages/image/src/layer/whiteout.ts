/*
 * Whiteouts: what a layer takes away from those below it (image-spec, layer.md). In a tar they are files with a prefix;
 * in an overlay's upper directory a character device 0:0, and an attribute on a directory that hides all below
 * (kernel, Documentation/filesystems/overlayfs.rst).
 */

export const whiteoutPrefix: Buffer = Buffer.from('.wh.')
/** An entry of this name makes its directory opaque. */
export const opaqueName: Buffer = Buffer.from('.wh..wh..opq')
const reservedPrefix = Buffer.from('.wh..wh.')

export const opaqueXattr = 'trusted.overlay.opaque'
export const opaqueValue: Buffer = Buffer.from('y')

/** What a tar entry's last component means: a name that goes, an opaque directory, aufs' bookkeeping, or nothing special. */
export type Whiteout = { readonly kind: 'whiteout'; readonly name: Buffer } | { readonly kind: 'opaque' | 'reserved' | 'none' }

export function whiteoutOf(name: Buffer): Whiteout {
  if (name.equals(opaqueName)) return { kind: 'opaque' }
  if (startsWith(name, reservedPrefix)) return { kind: 'reserved' }
  if (startsWith(name, whiteoutPrefix)) return { kind: 'whiteout', name: name.subarray(whiteoutPrefix.length) }
  return { kind: 'none' }
}

function startsWith(name: Buffer, prefix: Buffer): boolean {
  return name.length >= prefix.length && name.subarray(0, prefix.length).equals(prefix)
}
