import { EngineError } from '@engine/linux'

/**
 * A table's name, checked for what nft's grammar takes as a name.
 * @throws EngineError invalid-argument
 */
export function checkedTableName(name: string): string {
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/.test(name)) throw new EngineError('invalid-argument', `invalid nftables table name: ${JSON.stringify(name)}`)
  return name
}

/** Statements of nft, each on a line of its own. */
export function lines(...text: readonly string[]): string {
  return text.map((line) => `${line}\n`).join('')
}
