import { availableCapabilities, hardLimits, resolveRlimits, type OciRlimit } from '@engine/runtime'
import type { EngineOptions } from '../../interface.ts'
import type { Container } from '../container.ts'
import { refusedByRuntime } from '../start-error.ts'

/** A container's limits: its own, and the configuration's where it has none. What cannot be set is told in the log. */
export function containerRlimits(options: Pick<EngineOptions, 'defaultUlimits' | 'log'>, container: Container): readonly OciRlimit[] {
  const own = container.record.hostConfig.Ulimits ?? []
  const named = new Set(own.map(({ Name }) => Name))
  const all = [...own, ...options.defaultUlimits.filter(({ Name }) => !named.has(Name))]
  if (all.length === 0) return []
  const mayRaise = availableCapabilities().includes('CAP_SYS_RESOURCE')
  const wanted = all.map(({ Name, Soft, Hard }) => ({ name: Name ?? '', soft: Soft ?? 0, hard: Hard ?? 0 }))
  const resolved = refusedByRuntime(() => resolveRlimits(wanted, mayRaise, hardLimits()))
  for (const warning of resolved.warnings) options.log('warn', { container: container.id }, warning)
  return resolved.rlimits
}
