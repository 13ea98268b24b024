import type { ProcessKey } from './messages.ts'

/** A key as text, for maps and messages. */
export function keyText(key: ProcessKey): string {
  return key.exec === undefined ? key.container : `${key.container}/${key.exec}`
}

/** Only the key of something that has more. */
export function keyOf(named: ProcessKey): ProcessKey {
  return named.exec === undefined ? { container: named.container } : { container: named.container, exec: named.exec }
}
