const powers: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3, t: 4, p: 5 }

/**
 * Reads a size in bytes as go-units' RAMInBytes does: `64m`, `1.5GiB`, `1024`. Powers of 1024.
 * @throws Error `invalid size: 'x'`
 */
export function readBytes(given: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([kKmMgGtTpP])?(?:[iI])?[bB]?$/.exec(given)
  if (match === null) throw new Error(`invalid size: '${given}'`)
  const power = powers[(match[2] ?? '').toLowerCase()] ?? 0
  return Math.trunc(Number(match[1]) * 1024 ** power)
}

/** As readBytes, and `-1` for "no limit" (docker's MemSwapBytes). */
export function readBytesOrUnlimited(given: string): number {
  return given === '-1' ? -1 : readBytes(given)
}

/**
 * Reads `--cpus`: a decimal number of processors, in nano-processors.
 * @throws Error with docker's text
 */
export function readCpus(given: string): number {
  const fraction = /^([+-]?[0-9]+)\/([0-9]+)$/.exec(given)
  if (fraction === null && !/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(given)) {
    throw new Error(`failed to parse ${given} as a rational number`)
  }
  const number = fraction === null ? Number(given) : Number(fraction[1]) / Number(fraction[2])
  const nano = number * 1e9
  if (Math.abs(nano - Math.round(nano)) > 1e-6) throw new Error('value is too precise')
  return Math.round(nano)
}

/** Go's strconv.ParseInt(text, 0, 64) as pflag reports it. @throws Error with Go's text */
export function readInteger(given: string): number {
  const match = /^([+-]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|[0-9]+)$/.exec(given)
  if (match === null) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(given)}: invalid syntax`)
  const digits = match[2] ?? ''
  const octal = /^0[0-7]+$/.test(digits)
  const number = Number(octal ? `0o${digits.slice(1)}` : digits)
  return match[1] === '-' ? -number : number
}
