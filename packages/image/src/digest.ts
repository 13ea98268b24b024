import { createHash } from 'node:crypto'
import { EngineError } from '@engine/linux'

/** `sha256:` and 64 hexadecimal digits in lower case. Anything else is refused before it can become a path (CVE-2024-3727). */
export type Digest = `sha256:${string}`

/** Digits of the algorithms that Docker knows besides. */
const lengths: Readonly<Record<string, number>> = { sha384: 96, sha512: 128 }
const pattern = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return pattern.test(text)
}

/** @throws EngineError invalid-argument with the texts of Docker's digest package */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text
  const colon = text.indexOf(':')
  if (colon <= 0 || colon === text.length - 1) throw new EngineError('invalid-argument', 'invalid checksum digest format')
  const algorithm = text.slice(0, colon)
  if (algorithm !== 'sha256' && lengths[algorithm] !== text.length - colon - 1 && algorithm in lengths) {
    throw new EngineError('invalid-argument', 'invalid checksum digest length')
  }
  if (algorithm !== 'sha256') {
    throw new EngineError('invalid-argument', /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*$/.test(algorithm) ? 'unsupported digest algorithm' : 'invalid checksum digest format')
  }
  throw new EngineError('invalid-argument', text.length === 71 ? 'invalid checksum digest format' : 'invalid checksum digest length')
}

/** The 64 digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(7)
}

/** The sha256 digest of bytes. */
export function digestOf(...parts: readonly (Buffer | string)[]): Digest {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return `sha256:${hash.digest('hex')}`
}
