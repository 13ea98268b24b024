import type { EngineEvent } from '../types/event.ts'
import type { DiskUsage, SystemInfo, SystemVersion } from '../types/system-views.ts'
import type { Filters } from './filters.ts'

export interface System {
  version(): Promise<SystemVersion>
  info(): Promise<SystemInfo>
  /** What takes how much space. @param types `container`, `image`, `volume`, `build-cache`; none means all */
  diskUsage(types: readonly string[]): Promise<DiskUsage>
  /** Past events from `since`, then live ones until `until`, the signal, or for ever. */
  events(options: { readonly since?: bigint | undefined; readonly until?: bigint | undefined; readonly filters: Filters }, signal: AbortSignal): AsyncIterable<EngineEvent>
}
