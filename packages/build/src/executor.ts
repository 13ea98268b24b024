import type { ImageConfig, RunConfig } from '@engine/image'
import type { CacheKey, KeyParts } from './cache.ts'
import type { BuildLine } from './output.ts'
import type { CacheSharing } from './dockerfile/run-mount.ts'

/** An image as a build sees it. */
export interface BuildImage {
  /** `sha256:…`; empty for `scratch`, which is no image. */
  readonly id: string
  /** Digest of what it is: its layers and its configuration, not its history and its age. What is built on equal ones is equal. */
  readonly content: string
  readonly config: RunConfig
  readonly author: string
}

/** What a step's image is, besides its layer. */
export interface NewImage {
  /** Id of the image that it is made from; empty for `scratch`. */
  readonly parent: string
  readonly config: RunConfig
  readonly author: string
  /** The step, as the image's history tells it. */
  readonly createdBy: string
}

/** The files of an image, for reading. */
export interface ImageRoot extends AsyncDisposable {
  /** Descriptor of its root directory, which hostile paths are resolved in. */
  readonly fd: number
}

/** A new layer in the making: the files of an image with a layer on top that takes what is written. Disposed uncommitted, it leaves nothing. */
export interface EditedRoot extends ImageRoot {
  /** Ends the writing: what was written becomes the layer of a new image. @returns the image's id */
  commit(image: NewImage): Promise<string>
}

/** A file that a step's container sees, read-only, and its layer does not get. */
export interface StepFile {
  readonly path: string
  readonly data: string
  /** Permission bits. */
  readonly mode: number
}

/** What a RUN step's container gets besides its image. Nothing of it becomes part of the layer. */
export type StepMount =
  /** What a descriptor refers to, a file or a directory. */
  | { readonly kind: 'bind'; readonly target: string; readonly fd: number; readonly readOnly: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly size: number | undefined }
  /** A directory that lasts from build to build. */
  | {
      readonly kind: 'cache'
      readonly target: string
      readonly id: string
      readonly sharing: CacheSharing
      readonly readOnly: boolean
      readonly mode: number
      readonly uid: number
      readonly gid: number
      /** Directory whose content a new one begins with. */
      readonly initial: number | undefined
      /** Says how a new one begins, besides empty and root's: a cache that began otherwise is another, as with BuildKit. */
      readonly begins: string
    }
  | { readonly kind: 'secret'; readonly target: string; readonly data: Buffer; readonly mode: number; readonly uid: number; readonly gid: number }
  /** A socket that leads to an agent's on the host. */
  | { readonly kind: 'ssh'; readonly target: string; readonly agent: string; readonly mode: number; readonly uid: number; readonly gid: number }

export interface StepSettings {
  readonly files: readonly StepFile[]
  readonly mounts: readonly StepMount[]
  /** Empty is the build's. */
  readonly network: '' | 'default' | 'none' | 'host'
  /** Without the limits that containers have by default. */
  readonly insecure: boolean
  /** `NAME=value` entries that are kept nowhere. */
  readonly secretEnvironment: readonly string[]
}

/** A RUN step's container. */
export interface StepContainer {
  readonly id: string
  readonly warnings: readonly string[]
  /**
   * Starts it and waits for its end.
   * @param output takes what it writes; when it answers with a promise, no more comes until that is kept
   * @param signal kills it
   * @returns its exit status
   * @throws EngineError when it cannot be started
   */
  execute(output: (stream: 'stdout' | 'stderr', chunk: Buffer) => Promise<void> | void, signal: AbortSignal): Promise<number>
  /**
   * Makes an image with what it changed as the layer.
   * @param last the container will be removed next, so that its files may be moved instead of copied
   */
  commit(image: NewImage, last: boolean): Promise<string>
  /** Kills it if need be, and removes it with its anonymous volumes. */
  remove(): Promise<void>
  /**
   * Leaves it to the user, as Docker leaves a failed step's, without what was mounted: secrets go, caches are others' again. Without this
   * it goes with a crash of the daemon.
   */
  keep(): Promise<void>
}

/** What makes images of a build's steps. Package engine implements it with its store, its containers and its database. */
export interface Executor {
  /**
   * Finds the image that FROM or `COPY --from` names, and gets it when it is not there.
   * @param tell takes the progress of that
   * @throws EngineError not-found
   */
  resolve(reference: string, platform: string, tell?: (line: BuildLine) => Promise<void> | void): Promise<BuildImage>
  /**
   * The configuration of an image that FROM names, without getting the image where it is not there.
   * @throws EngineError as resolve does
   */
  lookUp(reference: string, platform: string): Promise<ImageConfig>
  /** An image that a step made or the cache knows. */
  image(id: string): Promise<BuildImage>
  /** Opens an image's files for reading. */
  openRoot(image: string): Promise<ImageRoot>
  /**
   * Opens the files of an image (empty: of nothing) for writing a layer on top.
   * @param how `apart`: the image's files are not there while the layer is written
   */
  editRoot(parent: string, how: 'on top' | 'apart'): Promise<EditedRoot>
  /** A directory that can be written without changing what `fd` refers to: what is written is thrown away. */
  editCopy(fd: number): Promise<ImageRoot>
  /** Makes the container of a RUN step: with this configuration, on the files of `parent`. */
  createContainer(parent: string, config: RunConfig, settings: StepSettings): Promise<StepContainer>
  /** Makes an image that has its parent's layers and no new one. @returns its id */
  commit(image: NewImage): Promise<string>
  /**
   * Makes an image that has one layer instead of those that it has above another.
   * @param base the image that it was made from; empty for `scratch`
   * @returns the new image's id; the same when there is no layer above
   */
  squash(image: string, base: string): Promise<string>
  /** The image that a step with this key made, if it is still there. */
  cached(key: CacheKey): Promise<string | undefined>
  /**
   * The image that a step with this key becomes by what others have made, if the client has named them for this build.
   * @param image what the step's image is besides its layer: that is never taken from elsewhere
   * @param warn  told of what could not be used
   */
  imported(key: CacheKey, image: NewImage, warn: (text: string) => void): Promise<string | undefined>
  /**
   * Gives what the build has made to others, as the client has asked.
   * @param image the build's
   * @returns the image to be named: another when it is to tell of its steps
   */
  exportCache(image: string, tell: (line: BuildLine) => Promise<void> | void): Promise<string>
  /** Parts of keys that are known and near to this one, which is not: what a miss is explained by. */
  siblings(key: CacheKey): Promise<readonly KeyParts[]>
  /** Notes which image a step made. */
  remember(key: CacheKey, image: string): Promise<void>
  /** The first path in which two images of one Dockerfile differ, and the step that made it; undefined when they are the same. */
  firstDifference(a: string, b: string): Promise<{ readonly path: string; readonly step: string } | undefined>
  /** Gives an image a name. @returns the name as users write it, `busybox:latest` */
  tag(image: string, reference: string): Promise<string>
}
