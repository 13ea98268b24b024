/**
 * Finds the end of a chunked body (RFC 9112, 7.1) in the bytes so far.
 * @returns its content and where it ends; undefined while it is not whole
 * @throws Error when the bytes are not chunks
 */
export function chunkedBodyEnd(bytes: Buffer): { readonly body: Buffer; readonly at: number } | undefined {
  const parts: Buffer[] = []
  let at = 0
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = /^([0-9a-f]{1,8})[ \t]*(?:;.*)?$/i.exec(bytes.toString('latin1', at, line))?.[1]
    if (size === undefined) throw new Error('not a chunk size')
    const length = Number.parseInt(size, 16)
    at = line + 2
    if (length === 0) break
    if (bytes.length < at + length + 2) return undefined
    parts.push(bytes.subarray(at, at + length))
    at += length
    if (bytes.toString('latin1', at, at + 2) !== '\r\n') throw new Error('a chunk does not end')
    at += 2
  }
  // Trailers, up to an empty line.
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const empty = line === at
    at = line + 2
    if (empty) return { body: Buffer.concat(parts), at }
  }
}
