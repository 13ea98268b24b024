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
 * Checks the options of driver local: all of `type`, `device` and perhaps `o`; or `size`, where there are project quotas; or none.
 * @throws EngineError invalid-argument in Docker's words
 */
export function checkVolumeOptions(name: string, options: Readonly<Record<string, string>>, hasQuotas: () => boolean): void {
  const keys = Object.keys(options)
  if (keys.length === 0) return
  const unknown = keys.find((key) => !['type', 'o', 'device', 'size'].includes(key))
  if (unknown !== undefined) throw invalid(name, `invalid option: ${JSON.stringify(unknown)}`)
  const { size, ...device } = options
  const bytes = size === undefined ? 0 : parseMemory(size)
  if (bytes === undefined) throw invalid(name, `invalid size: '${size}'`)
  const own = Object.keys(device).length === 0
  if (size !== undefined && (bytes > 0 || own) && !hasQuotas()) {
    throw new EngineError('invalid-argument', `create ${name}: quota size requested but no quota support`, { hint: 'it takes xfs mounted with pquota, or ext4 with its features quota and project mounted with prjquota; a tmpfs has a size: --opt type=tmpfs --opt device=tmpfs --opt o=size=100m' })
  }
  if (own) return
  if (bytes > 0) throw invalid(name, 'a size is of volumes without a device: that of a device is its own')
  for (const key of ['device', 'type']) if (!(key in options)) throw invalid(name, `missing required option: ${JSON.stringify(key)}`)
}

function invalid(name: string, reason: string): EngineError {
  return new EngineError('invalid-argument', `create ${name}: ${reason}`)
}

/** Bytes that a volume is held to; 0 for none. */
export function volumeSize(options: Readonly<Record<string, string>> | null): number {
  return options?.['size'] === undefined || isDevice(options) ? 0 : (parseMemory(options['size']) ?? 0)
}

/** Whether a volume's files lie elsewhere, and are mounted while somebody uses it. */
export function isDevice(options: Readonly<Record<string, string>> | null): options is Readonly<Record<string, string>> {
  return options !== null && 'device' in options
}
