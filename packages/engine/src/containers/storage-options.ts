import { EngineError } from '@engine/linux'

/**
 * overlay2 has one option, `size`, and that needs project quotas. Docker asks for those before it looks at the other names, and takes
 * names in any case (moby daemon/graphdriver/overlay2). It answers with 500; a request that can never be done is a 400 here.
 * @throws EngineError invalid-argument
 */
export function checkStorageOptions(options: Readonly<Record<string, string>>): void {
  const names = Object.keys(options)
  const unknown = names.find((name) => name.toLowerCase() !== 'size')
  if (unknown !== undefined && !names.includes('size')) throw new EngineError('invalid-argument', `Unknown option ${unknown}`)
  if (names.length > 0) {
    const hint = 'project quotas are not supported; what a container may write can be bounded by --read-only and --tmpfs PATH:size=100m'
    throw new EngineError('invalid-argument', "--storage-opt is supported only for overlay over xfs with 'pquota' mount option", { hint })
  }
}
