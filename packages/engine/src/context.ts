import type { FileWorkers, OverlayStore, Platform, RunConfig } from '@engine/image'
import type { NameServer, SpareNamespace } from '@engine/network'
import type { ShimClient } from '@engine/runtime'
import type { ContainerRegistry } from './containers/registry.ts'
import type { Events } from './events/events.ts'
import type { HealthTable } from './state/health-table.ts'
import type { ExecRegistry } from './execs/registry.ts'
import type { EngineOptions } from './interface.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Pump } from './logs/index.ts'
import type { NetworkRegistry } from './networks/network-registry.ts'
import type { EnginePaths } from './paths.ts'
import type { Database } from './state/database.ts'
import type { Intents } from './state/intents.ts'
import type { ProjectQuotas } from './quotas/project-quotas.ts'
import type { Remap } from './userns/remap.ts'

/** What containers need of images. */
export interface ImageSource {
  /** @throws EngineError not-found `No such image: x:latest` */
  forContainer(ref: string, platform: string | undefined): ContainerImage
  /** An image is of use: what is longest unused goes first when images have a budget. */
  used(id: string): void
  /** Bytes of a layer's files, by the name of its directory. */
  layerSize(id: string): number
  /** undefined when the image is gone. */
  get(id: string): object | undefined
  /** Takes away layers that nothing has any more: after a container was removed whose image had gone before it. */
  collect(): Promise<void>
  /** What `ps` shows for a container's image: the name it was created with as long as that is this image, else the id. */
  shownName(given: string, imageId: string): string
  /** Ids of the images that a reference means, for the filter `ancestor`; none when there is no such image. */
  idsOf(ref: string): readonly string[]
}

export interface ContainerImage {
  /** `sha256:…` of the config. */
  readonly id: string
  readonly config: RunConfig
  readonly platform: Platform
  /** Ids of its layers under overlay2/, topmost first. */
  readonly layers: readonly string[]
}

/** What containers need of volumes. */
export interface VolumeSource {
  has(name: string): boolean
  /** Makes a volume unless it is there. `anonymous`: the user gave it no name, it goes with its container. */
  ensure(options: {
    readonly name: string
    readonly anonymous: boolean
    readonly driver: string
    readonly options: Readonly<Record<string, string>>
    readonly labels: Readonly<Record<string, string>>
    /** Host's ids of who has it while there is nothing in it. */
    readonly owner: { readonly uid: number; readonly gid: number }
  }): Promise<{ readonly name: string; readonly mountpoint: string }>
  /** Host path of a volume's directory. @throws EngineError not-found */
  mountpoint(name: string): string
  /** Fills an empty volume with what the image has at a path: contents, owner and mode. */
  populate(name: string, root: string, path: string): Promise<void>
  /** Mounts a volume that has options, until it is released by all that use it. @throws EngineError in Docker's words */
  use(name: string, user: string): Promise<void>
  release(name: string, user: string): Promise<void>
  /** Whether it was made without a name, so that it goes with its container. */
  isAnonymous(name: string): boolean
  /** @param refuse throws when somebody has it, asked when nobody new can come by it any more */
  remove(name: string, refuse?: () => void): Promise<void>
}

/** The parts of a running engine, as its verbs see them. */
export interface EngineContext {
  readonly options: EngineOptions
  readonly paths: EnginePaths
  /** A random name of this data root, `ID` of GET /info. */
  readonly id: string
  /** /proc/sys/kernel/random/boot_id */
  readonly bootId: string
  readonly db: Database
  readonly intents: Intents
  readonly containers: ContainerRegistry
  readonly execs: ExecRegistry
  readonly health: HealthTable
  readonly events: Events
  readonly ledger: Ledger
  readonly spareNamespace: SpareNamespace
  readonly shim: ShimClient
  readonly pump: Pump
  readonly overlay: OverlayStore
  readonly quotas: ProjectQuotas
  /** The ids that containers have on the host, unless they say otherwise; undefined when they are the same. */
  readonly remap: Remap | undefined
  /** Threads for work at a client's pace, which would keep others waiting in the common ones. */
  readonly transfers: FileWorkers
  readonly images: ImageSource
  readonly volumes: VolumeSource
  readonly networks: NetworkRegistry
  readonly names: NameServer
  /** Resolves when what a crash had left is settled: no container starts before. */
  readonly reconciled: Promise<void>
  /** No container is started again by its policy from here on. */
  readonly closing: AbortSignal
}
