import type { Readable } from 'node:stream'
import type { ContainerConfig, EndpointSettings, HostConfig, ResourceField } from '../types/container-config.ts'
import type { ContainerStats } from '../types/container-stats.ts'
import type { ContainerInspect, ContainerSummary, ContainerTop, WaitResult } from '../types/container-views.ts'
import type { LedgerEntry } from '../types/ledger-entry.ts'
import type { Filters } from './filters.ts'
import type { Attachment, OutputFraming } from './streams.ts'

export interface CreateContainer {
  /** 64 hex digits; for the engine's own containers, which an intent names before they are made. */
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly platform?: string | undefined
  readonly config: ContainerConfig
  readonly hostConfig: HostConfig
  readonly endpoints: Readonly<Record<string, EndpointSettings>>
  /** Whether read-only binds leave the mounts below them writable. */
  readonly readOnlyNonRecursive?: boolean | undefined
  /** It is a build's: without the image's volumes, and with variables that are kept nowhere. */
  readonly buildStep?: { readonly secretEnvironment: readonly string[] } | undefined
}

/** What POST containers/{id}/update takes of a HostConfig: the resources and the restart policy. */
export type UpdateContainer = Pick<HostConfig, ResourceField | 'RestartPolicy'>

export interface LogOptions {
  readonly stdout: boolean
  readonly stderr: boolean
  readonly follow: boolean
  readonly timestamps: boolean
  readonly details: boolean
  /** Nanoseconds since the epoch. */
  readonly since?: bigint | undefined
  readonly until?: bigint | undefined
  /** Lines from the end; undefined is all. */
  readonly tail?: number | undefined
}

/** What a container has at a path, as `docker cp` asks. */
export interface ArchiveStat {
  readonly name: string
  readonly size: number
  /** Bits of Go's FileMode. */
  readonly mode: number
  /** RFC 3339 */
  readonly mtime: string
  readonly linkTarget: string
}

/** One path of `docker diff`: 0 changed, 1 added, 2 deleted. */
export interface ContainerChange {
  readonly Path: string
  readonly Kind: 0 | 1 | 2
}

export interface Containers {
  list(options: { readonly all: boolean; readonly limit?: number | undefined; readonly size: boolean; readonly filters: Filters }): Promise<ContainerSummary[]>
  create(request: CreateContainer): Promise<{ Id: string; Warnings: string[] }>
  inspect(ref: string, options: { readonly size: boolean }): Promise<ContainerInspect>
  start(ref: string): Promise<void>
  /** @throws EngineError not-modified when it is not running */
  stop(ref: string, options: { readonly timeout?: number | undefined; readonly signal?: string | undefined }): Promise<void>
  restart(ref: string, options: { readonly timeout?: number | undefined; readonly signal?: string | undefined }): Promise<void>
  kill(ref: string, signal: string | undefined): Promise<void>
  pause(ref: string): Promise<void>
  unpause(ref: string): Promise<void>
  rename(ref: string, name: string): Promise<void>
  /** Resolves at once with a promise of the result, so that headers can be sent before the wait. */
  wait(ref: string, condition: 'not-running' | 'next-exit' | 'removed', signal: AbortSignal): Promise<{ readonly result: Promise<WaitResult> }>
  remove(ref: string, options: { readonly force: boolean; readonly volumes: boolean; readonly link: boolean }): Promise<void>
  /** Changes limits and restart policy, live where it runs. */
  update(ref: string, change: UpdateContainer): Promise<{ Warnings: string[] | null }>
  /** Samples of what a container uses: one, or one each second until the signal. */
  stats(ref: string, options: { readonly stream: boolean; readonly oneShot: boolean }, signal: AbortSignal): Promise<AsyncIterable<ContainerStats>>
  top(ref: string, psArgs: string): Promise<ContainerTop>
  /**
   * A container's log. Each of `batches` may be overwritten once the one after the next is asked for.
   * @param framing of entries, unless the container has a terminal
   */
  logs(ref: string, options: LogOptions, framing: OutputFraming, signal: AbortSignal): Promise<{ readonly tty: boolean; readonly batches: AsyncIterable<Buffer> }>
  attach(ref: string, options: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly stream: boolean; readonly logs: boolean; readonly detachKeys?: string | undefined }): Promise<Attachment>
  resize(ref: string, rows: number, columns: number): Promise<void>
  prune(filters: Filters): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }>
  statArchive(ref: string, path: string): Promise<ArchiveStat>
  readArchive(ref: string, path: string): Promise<{ readonly stat: ArchiveStat; readonly tar: Readable }>
  writeArchive(ref: string, path: string, tar: AsyncIterable<Buffer>, options: { readonly keepKinds: boolean; readonly ownedByUser: boolean }, signal: AbortSignal): Promise<void>
  /** The tar of a container's root without its volumes, running or not. */
  export(ref: string): Promise<Readable>
  changes(ref: string): Promise<ContainerChange[] | null>
  /** The ledger's entries of one container, oldest first; also of one that failed to start or is gone. */
  explain(ref: string): Promise<LedgerEntry[]>
}
