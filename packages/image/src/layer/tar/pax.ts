import { EngineError } from '@engine/linux'

/*
 * Extended headers of POSIX pax: records of `<length> <key>=<value>\n`, where the length counts the whole record.
 * Keys are kept one character a byte (latin1), values as bytes: an attribute such as security.capability is binary.
 */

/** A record in the order it stands; a key may come twice (GNU.sparse.offset). */
export type PaxRecord = readonly [key: string, value: Buffer]

/** @throws EngineError invalid-argument when a record's length does not lead to its end, or a key is empty */
export function parsePax(data: Buffer): PaxRecord[] {
  const records: PaxRecord[] = []
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at)
    // 2^20 bytes at most, so never more than seven digits.
    const digits = space < 0 || space - at > 8 ? '' : data.toString('latin1', at, space)
    const end = /^[1-9][0-9]*$/.test(digits) ? at + Number(digits) : 0
    const equals = data.indexOf(0x3d, space + 1)
    if (end <= space + 2 || end > data.length || data[end - 1] !== 0x0a || equals <= space + 1 || equals >= end - 1) throw invalidPax()
    const key = data.toString('latin1', space + 1, equals)
    if (key.includes('\0')) throw invalidPax()
    records.push([key, Buffer.from(data.subarray(equals + 1, end - 1))])
    at = end
  }
  return records
}

/** The bytes of records, in their order. */
export function writePax(records: readonly PaxRecord[]): Buffer {
  return Buffer.concat(
    records.flatMap(([key, value]) => {
      const body = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, newline])
      // The length counts its own digits.
      let length = body.length + String(body.length).length
      if (String(length).length !== String(body.length).length) length = body.length + String(length).length
      return [Buffer.from(String(length)), body]
    }),
  )
}

/** A decimal number of seconds with a fraction, as nanoseconds; digits beyond the ninth do not count. */
export function parsePaxTime(value: Buffer): bigint {
  const match = /^(-?)([0-9]{1,18})(?:\.([0-9]*))?$/.exec(value.toString('latin1'))
  if (match === null) throw invalidPax()
  const [, sign = '', seconds = '0', fraction = ''] = match
  const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9))
  return sign === '-' ? -nanoseconds : nanoseconds
}

/** Nanoseconds as decimal seconds, without a fraction where there is none. */
export function writePaxTime(nanoseconds: bigint): Buffer {
  const magnitude = nanoseconds < 0n ? -nanoseconds : nanoseconds
  const fraction = String(magnitude % 1_000_000_000n).padStart(9, '0').replace(/0+$/, '')
  return Buffer.from(`${nanoseconds < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`)
}

/** A decimal integer of a record. @throws EngineError invalid-argument */
export function parsePaxInteger(value: Buffer): number {
  const text = value.toString('latin1')
  const number = /^-?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw invalidPax()
  return number
}

export function invalidPax(): EngineError {
  return new EngineError('invalid-argument', 'archive/tar: invalid tar header: invalid PAX record')
}

const newline = Buffer.from('\n')
