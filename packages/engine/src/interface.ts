import type { Builds } from './interface/builds.ts'
import type { Containers } from './interface/containers.ts'
import type { Execs } from './interface/execs.ts'
import type { Images } from './interface/images.ts'
import type { Networks } from './interface/networks.ts'
import type { System } from './interface/system.ts'
import type { Volumes } from './interface/volumes.ts'

export type * from './interface/builds.ts'
export type * from './interface/containers.ts'
export type * from './interface/execs.ts'
export type * from './interface/filters.ts'
export type * from './interface/images.ts'
export type * from './interface/networks.ts'
export type * from './interface/options.ts'
export type * from './interface/progress.ts'
export type * from './interface/streams.ts'
export type * from './interface/system.ts'
export type * from './interface/volumes.ts'

/**
 * What the daemon serves: the engine, verb by verb. Arguments are valid in form (the daemon's schemas saw them); what they
 * mean is checked here. Every failure is an EngineError with Docker's text. All shapes bear Docker's field names (API v1.51).
 */
export interface Engine {
  readonly containers: Containers
  readonly execs: Execs
  readonly images: Images
  readonly builds: Builds
  readonly networks: Networks
  readonly volumes: Volumes
  readonly system: System
  /** Runs `work` with the cause that the ledger stores with every kernel action made meanwhile. */
  causedBy<T>(cause: { readonly request: string; readonly id: string }, work: () => Promise<T>): Promise<T>
  /** Stops serving: leaves containers running, or stops them first as Docker does at a host's shutdown. */
  close(options: { readonly stopContainers: boolean }): Promise<void>
}
