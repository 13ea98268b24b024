import { availableCapabilities, hardLimits, resolveRlimits, type OciRlimit } from '@engine/runtime'
import type { EngineOptions } from '../../interface.ts'
import type { HostConfigView } from '../../types/container-config.ts'
import { refusedByRuntime } from '../start-error.ts'

/**
 * A container's limits: its own, and the configuration's where it has none.
 * @returns warnings for those that this host does not let be set
 * @throws EngineError in runc's words
 */
export function containerRlimits(options: Pick<EngineOptions, 'defaultUlimits'>, host: HostConfigView): { readonly rlimits: readonly OciRlimit[]; readonly warnings: readonly string[] } {
  const own = host.Ulimits ?? []
  const named = new Set(own.map(({ Name }) => Name))
  const all = [...own, ...options.defaultUlimits.filter(({ Name }) => !named.has(Name))]
  if (all.length === 0) return { rlimits: [], warnings: [] }
  const mayRaise = availableCapabilities().includes('CAP_SYS_RESOURCE')
  const wanted = all.map(({ Name, Soft, Hard }) => ({ name: Name ?? '', soft: Soft ?? 0, hard: Hard ?? 0 }))
  return refusedByRuntime(() => resolveRlimits(wanted, mayRaise, hardLimits()))
}

/** Warnings about a new container's limits; what is wrong with them is said when it is started, as with Docker. */
export function rlimitWarnings(options: Pick<EngineOptions, 'defaultUlimits'>, host: HostConfigView): readonly string[] {
  try {
    return containerRlimits(options, host).warnings
  } catch {
    return []
  }
}
