import { EngineError } from '@engine/linux'
import { parseBoolean } from './drivers/check.ts'
import { parseDecimal, parseMemory } from './drivers/sizes.ts'
import type { LogDriver } from './types.ts'

/** When a log's file is rotated, and what is kept. */
export interface LogLimits {
  /** Bytes after which a file is rotated. */
  readonly maximumSize: number
  /** Files that are kept, the current one included. */
  readonly files: number
  readonly compress: boolean
}

/** Docker never rotates unless told to, and fills disks by it; here a container keeps half a gigabyte at most unless told otherwise. */
export const DEFAULT_LIMITS: LogLimits = { maximumSize: 100 * 1024 * 1024, files: 5, compress: false }

/** What driver local keeps, and the file beside a driver that sends lines away: as with Docker, but for a larger file. */
const LOCAL_LIMITS: LogLimits = { maximumSize: 20 * 1024 * 1024, files: 5, compress: true }

/**
 * What is kept of a container's log, by its driver and its options.
 * @returns undefined when no file is kept
 * @throws EngineError invalid-argument in Docker's words
 */
export function fileLimits(driver: LogDriver, options: Readonly<Record<string, string>>): LogLimits | undefined {
  switch (driver) {
    case 'none':
      return undefined
    case 'json-file':
      return logLimits(options)
    case 'local':
      return localLimits(options, '')
    default:
      return parseBoolean(options['cache-disabled'] ?? '') === true ? undefined : localLimits(options, 'cache-')
  }
}

/** max-size, max-file and compress of driver local. @param prefix of the options' names: `cache-` where it is the cache of another */
function localLimits(options: Readonly<Record<string, string>>, prefix: string): LogLimits {
  const size = options[`${prefix}max-size`]
  const maximumSize = size === undefined ? LOCAL_LIMITS.maximumSize : parseMemory(size)
  if (maximumSize === undefined) throw new EngineError('invalid-argument', `invalid value for max-size: ${size}: invalid size: '${size}'`)
  const count = options[`${prefix}max-file`] ?? String(LOCAL_LIMITS.files)
  if (!/^[+-]?\d+$/.test(count)) throw new EngineError('invalid-argument', `invalid value for max-file: ${count}: strconv.Atoi: parsing "${count}": invalid syntax`)
  const compressed = options[`${prefix}compress`]
  const compress = compressed === undefined ? LOCAL_LIMITS.compress : parseBoolean(compressed)
  if (compress === undefined) throw new EngineError('invalid-argument', `error reading compress log option: strconv.ParseBool: parsing "${compressed}": invalid syntax`)
  if (maximumSize <= 0) throw new EngineError('invalid-argument', 'max size should be a positive number')
  if (Number(count) < 0) throw new EngineError('invalid-argument', 'max file count cannot be less than 0')
  if (compress && Number(count) <= 1) throw new EngineError('invalid-argument', 'compression cannot be enabled when max file count is 1')
  // The current file is there in any case.
  return { maximumSize, files: Math.max(1, Number(count)), compress }
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
    const parsed = parseDecimal(size)
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
    const parsed = parseBoolean(compressed)
    if (parsed === undefined) throw new EngineError('invalid-argument', `strconv.ParseBool: parsing "${compressed}": invalid syntax`)
    compress = parsed
    if (compress && files === 1) throw new EngineError('invalid-argument', 'compress cannot be true when max-file is less than 2 or max-size is not set')
  }
  return { maximumSize, files, compress }
}
