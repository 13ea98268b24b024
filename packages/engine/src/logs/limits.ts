import { EngineError } from '@engine/linux'

/** When a json-file log is rotated, and what is kept. */
export interface LogLimits {
  /** Bytes after which a file is rotated. */
  readonly maximumSize: number
  /** Files that are kept, the current one included. */
  readonly files: number
  readonly compress: boolean
}

/** Docker never rotates unless told to, and fills disks by it; here a container keeps half a gigabyte at most unless told otherwise. */
export const DEFAULT_LIMITS: LogLimits = { maximumSize: 100 * 1024 * 1024, files: 5, compress: false }

const UNITS = new Map([['', 1], ['k', 1e3], ['m', 1e6], ['g', 1e9], ['t', 1e12], ['p', 1e15]])

/** go-units' FromHumanSize: decimal units, `10m`, `1.5 GB`. */
function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text)
  const unit = UNITS.get((match?.[2] ?? '').toLowerCase())
  return match === null || unit === undefined ? undefined : Math.floor(Number(match[1]) * unit)
}

/**
 * The options max-size, max-file and compress of json-file.
 * @throws EngineError invalid-argument in Docker's words
 */
export function logLimits(options: Readonly<Record<string, string>>): LogLimits {
  const size = options['max-size']
  let { maximumSize, files, compress } = DEFAULT_LIMITS
  if (size === '-1') {
    maximumSize = Number.POSITIVE_INFINITY
  } else if (size !== undefined) {
    const parsed = parseSize(size)
    if (parsed === undefined) throw new EngineError('invalid-argument', `invalid size: '${size}'`)
    if (parsed <= 0) throw new EngineError('invalid-argument', `max-size must be a positive number: '${size}'`)
    maximumSize = parsed
  }
  const count = options['max-file']
  if (count !== undefined) {
    if (!/^[+-]?\d+$/.test(count)) throw new EngineError('invalid-argument', `strconv.Atoi: parsing "${count}": invalid syntax`)
    files = Number(count)
    if (files < 1) throw new EngineError('invalid-argument', 'max-file cannot be less than 1')
  }
  const compressed = options['compress']
  if (compressed !== undefined) {
    if (!/^(?:1|t|true|0|f|false)$/i.test(compressed)) throw new EngineError('invalid-argument', `strconv.ParseBool: parsing "${compressed}": invalid syntax`)
    compress = /^(?:1|t|true)$/i.test(compressed)
    if (compress && files === 1) throw new EngineError('invalid-argument', 'compress cannot be true when max-file is less than 2 or max-size is not set')
  }
  return { maximumSize, files, compress }
}
