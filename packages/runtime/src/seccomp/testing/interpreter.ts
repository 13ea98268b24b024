import assert from 'node:assert/strict'

/** struct seccomp_data, as far as filters look at it. */
export interface Call {
  readonly architecture: number
  readonly number: number
  readonly args: readonly bigint[]
}

/** Runs a seccomp program as the kernel does (classic BPF, linux/filter.h), and says what it returns. */
export function evaluate(program: Buffer, { architecture, number, args }: Call): number {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(number >>> 0, 0)
  data.writeUInt32LE(architecture, 4)
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + index * 8))
  const memory = new Uint32Array(16)
  let accumulator = 0
  let index = 0
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8)
    const whenTrue = program.readUInt8(at * 8 + 2)
    const whenFalse = program.readUInt8(at * 8 + 3)
    const value = program.readUInt32LE(at * 8 + 4)
    const branch = (condition: boolean): number => (condition ? whenTrue : whenFalse)
    switch (code) {
      case 0x20: accumulator = data.readUInt32LE(value); break
      case 0x60: accumulator = memory[value] ?? 0; break
      case 0x02: memory[value] = accumulator; break
      case 0x54: accumulator = (accumulator & value) >>> 0; break
      case 0x07: index = accumulator; break
      case 0x87: accumulator = index; break
      case 0x05: at += value; break
      case 0x15: at += branch(accumulator === value); break
      case 0x25: at += branch(accumulator > value); break
      case 0x35: at += branch(accumulator >= value); break
      case 0x45: at += branch((accumulator & value) !== 0); break
      case 0x06: return value
      default: assert.fail(`instruction ${at}: unknown code 0x${code.toString(16)}`)
    }
  }
  return assert.fail('the program has no end')
}
