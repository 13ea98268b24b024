import { EngineError } from '@engine/linux'
import { parseMemory } from '../logs/drivers/sizes.ts'

/**
 * Checks a volume's name as Docker's local driver does, which alone may become a directory.
 * @throws EngineError invalid-argument in Docker's words
 */
export function checkVolumeName(name: string): void {
  if (name.length < 2) throw invalid(name, 'volume name is too short, names should be at least two alphanumeric characters')
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw invalid(
      name,
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    )
  }
  if (name.length > 255) throw invalid(name, 'volume name is too long, names should be at most 255 characters')
}

/** @throws EngineError not-found: there is no other driver than `local` */
export function checkVolumeDriver(name: string, driver: string): void {
  if (driver === '' || driver === 'local') return
  throw new EngineError('not-found', `create ${name}: error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`)
}

/**
 * Checks the options of driver local: all of `type`, `device` and perhaps `o`, or none.
 * @throws EngineError invalid-argument in Docker's words
 */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>): void {
  const keys = Object.keys(options)
  if (keys.length === 0) return
  const unknown = keys.find((key) => !['type', 'o', 'device', 'size'].includes(key))
  if (unknown !== undefined) throw invalid(name, `invalid option: ${JSON.stringify(unknown)}`)
  const { size, ...device } = options
  const bytes = size === undefined ? 0 : parseMemory(size)
  if (bytes === undefined) throw invalid(name, `invalid size: '${size}'`)
  if (size !== undefined && (bytes > 0 || Object.keys(device).length === 0)) {
    throw new EngineError('invalid-argument', `create ${name}: quota size requested but no quota support`, { hint: 'project quotas are not supported; a tmpfs has a size: --opt type=tmpfs --opt device=tmpfs --opt o=size=100m' })
  }
  for (const key of ['device', 'type']) if (!(key in options)) throw invalid(name, `missing required option: ${JSON.stringify(key)}`)
}

function invalid(name: string, reason: string): EngineError {
  return new EngineError('invalid-argument', `create ${name}: ${reason}`)
}
