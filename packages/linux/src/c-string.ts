import { EngineError } from './error.ts'

/** A path or name: text, or the raw bytes where it need not be UTF-8 (archives, directory listings). */
export type PathBytes = string | Buffer

/**
 * The NUL-terminated bytes of a path or name, for calls that take `const char *`.
 * @throws EngineError invalid-argument when it holds a NUL byte: the kernel would silently see less than was checked
 */
export function cString(text: PathBytes): Buffer {
  const bytes = typeof text === 'string' ? Buffer.from(`${text}\0`, 'utf8') : terminated(text)
  if (bytes.indexOf(0) !== bytes.length - 1) {
    throw new EngineError('invalid-argument', `invalid path ${JSON.stringify(shownPath(text))}: it holds a NUL byte`)
  }
  return bytes
}

/** A path as text for messages; bytes that are not UTF-8 are shown as U+FFFD. */
export function shownPath(path: PathBytes): string {
  return typeof path === 'string' ? path : path.toString('utf8')
}

function terminated(text: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(text.length + 1)
  text.copy(bytes)
  bytes[text.length] = 0
  return bytes
}
