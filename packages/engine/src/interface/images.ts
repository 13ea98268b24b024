import type { Readable } from 'node:stream'
import type { Credentials, SearchResult } from '@engine/image'
import type { ContainerConfig } from '../types/container-config.ts'
import type { DistributionInspect, ImageDelete, ImageHistoryItem, ImageInspect, ImageSummary } from '../types/image-views.ts'
import type { BuildOptions } from './builds.ts'
import type { Filters } from './filters.ts'
import type { Progress } from './progress.ts'

export interface Images {
  /** @param options `manifests`: with what each image has on the disk; `onDisk`: sizes count the tars that layers came as */
  list(options: { readonly all: boolean; readonly filters: Filters; readonly sharedSize: boolean; readonly digests: boolean; readonly manifests?: boolean; readonly onDisk?: boolean }): Promise<ImageSummary[]>
  /** @param options `manifests`: with what it came as; `platform`: of that platform, or not found */
  inspect(ref: string, options?: { readonly manifests?: boolean; readonly platform?: string | undefined }): Promise<ImageInspect>
  history(ref: string, platform?: string): Promise<ImageHistoryItem[]>
  tag(ref: string, repository: string, tag: string): Promise<void>
  /** @param options.platform `os/architecture[/variant]` that it must have */
  remove(ref: string, options: { readonly force: boolean; readonly noPrune: boolean; readonly platform?: string | undefined }): Promise<ImageDelete[]>
  prune(filters: Filters): Promise<{ ImagesDeleted: ImageDelete[] | null; SpaceReclaimed: number }>
  /** The archive of images, `docker save`; they stay until it is disposed. @param refs a name without a tag means all its tags */
  save(refs: readonly string[], platform: string | undefined): Promise<{ readonly tar: AsyncIterable<Buffer> } & Disposable>
  /** Takes in what `docker save` writes, or an OCI layout, compressed or not. Yields progress; `quiet` only what was loaded. */
  load(tar: Readable, options: { readonly quiet: boolean; readonly platform?: string | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** `docker import`: one layer from a tar (gzip, zstd, xz or plain), or from the address of one. Yields progress; the last line's status is the image's id. */
  import(source: Readable | string, options: { readonly repository: string; readonly tag: string; readonly message: string; readonly changes: readonly string[]; readonly platform?: string | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** An image from a registry; with neither tag nor digest all tags of a repository. */
  pull(ref: string, options: { readonly platform?: string | undefined; readonly credentials?: Credentials | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** Sends an image to a registry; with no tag all tags of a repository. */
  push(name: string, options: { readonly tag: string; readonly platform?: string | undefined; readonly credentials?: Credentials | undefined }, signal: AbortSignal): AsyncIterable<Progress>
  /** What a registry has under a name. */
  distribution(name: string, credentials: Credentials | undefined, signal: AbortSignal): Promise<DistributionInspect>
  search(term: string, options: { readonly limit: number | undefined; readonly filters: Filters; readonly credentials?: Credentials | undefined }, signal: AbortSignal): Promise<SearchResult[]>
  /** Asks a registry whether it takes credentials. */
  login(credentials: Credentials, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>
  /** The classic builder's stream. The context is a tar (compressed or not). */
  build(context: Readable, options: BuildOptions, signal: AbortSignal): AsyncIterable<Progress>
  commit(container: string, options: { readonly repository: string; readonly tag: string; readonly comment: string; readonly author: string; readonly pause: boolean; readonly changes: readonly string[]; readonly config?: ContainerConfig | undefined }): Promise<{ Id: string }>
}
