import { libc, addressOf } from './libc.ts'
import { door } from './door.ts'
import { cString } from './c-string.ts'

const call = libc.func('int execve(const char *, void *, void *)') as (path: Buffer, argv: Buffer, envp: Buffer) => number

/** A NULL-terminated array of C strings, and the strings, which must live as long as it. */
function pointers(texts: readonly string[]): { readonly array: Buffer; readonly strings: readonly Buffer[] } {
  const strings = texts.map((text) => cString(text))
  const array = Buffer.alloc((strings.length + 1) * 8)
  strings.forEach((string, index) => array.writeBigUInt64LE(addressOf(string), index * 8))
  return { array, strings }
}

/**
 * execve(2): this process becomes another program; every other thread ends. Returns only by throwing.
 * @throws SyscallError
 */
export function execve(path: string, args: readonly string[], env: readonly string[]): never {
  const argv = pointers(args)
  const envp = pointers(env)
  door('execve', () => ({ path, args: args.join(' ') }), () => call(cString(path), argv.array, envp.array))
  throw new Error(`execve(${path}) returned with ${argv.strings.length} arguments and ${envp.strings.length} variables`)
}
