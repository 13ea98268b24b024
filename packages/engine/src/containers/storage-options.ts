import { EngineError } from '@engine/linux'
import { parseMemory } from '../logs/drivers/sizes.ts'

/**
 * overlay2 has one option, `size`, and that needs project quotas. Docker asks for those before it looks at the other names, and takes
 * names in any case (moby daemon/graphdriver/overlay2). It answers with 500; a request that can never be done is a 400 here.
 * @param supported whether the file system of containers' layers can hold them to a size
 * @returns bytes that the container's layer may take; 0 for no limit
 * @throws EngineError invalid-argument
 */
export function checkStorageOptions(options: Readonly<Record<string, string>>, supported: () => boolean): number {
  const names = Object.keys(options)
  if (names.length === 0) return 0
  const unknown = names.find((name) => name.toLowerCase() !== 'size')
  if (unknown !== undefined && !names.includes('size')) throw invalid(`Unknown option ${unknown}`)
  if (!supported()) {
    throw invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option", 'or over ext4 with its features quota and project, mounted with prjquota; elsewhere what a container may write can be bounded by --read-only and --tmpfs PATH:size=100m')
  }
  if (unknown !== undefined) throw invalid(`Unknown option ${unknown}`)
  const size = Object.values(options).at(-1) as string
  const bytes = parseMemory(size)
  if (bytes === undefined) throw invalid(`invalid size: '${size}'`)
  return bytes
}

function invalid(message: string, hint?: string): EngineError {
  return new EngineError('invalid-argument', message, { hint })
}
