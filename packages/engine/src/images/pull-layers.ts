import { compressionOf, digestHex, downloadBlob, GrowingFile, type Descriptor, type Digest, type RegistryClient } from '@engine/image'
import type { LayerRow } from '../state/layers-table.ts'
import { allOrNone } from './all-or-none.ts'
import { EarlyLayer } from './early-layer.ts'
import { shortId } from './errors.ts'
import type { ImageStore } from './image-store.ts'
import { mismatch, type PullPlan } from './pull-plan.ts'
import type { LayerProgress, Registries } from './registries.ts'
import { statusLine, type ProgressQueue } from './transfer-progress.ts'

interface LayerJob {
  readonly blob: Descriptor
  readonly diffId: Digest
  readonly chainId: Digest
  /** Ids of the layers below, topmost first. */
  readonly parents: readonly string[]
}

type Report = (progress: LayerProgress) => void

/**
 * Fetches and unpacks the layers of an image that are not here: several at a time, each unpacked as soon as it is whole, whatever the
 * others do, and put in place when those below it are. A layer that several pulls want is made once.
 * @returns the layers that were made; they are under overlay2/, but not flushed and in no row
 */
export async function pullLayers(registries: Registries, store: ImageStore, client: RegistryClient, plan: PullPlan, queue: ProgressQueue, signal: AbortSignal): Promise<LayerRow[]> {
  const missing = jobsOf(plan).filter(({ blob, chainId }) => {
    const isHere = store.layers.get(digestHex(chainId)) !== undefined && store.overlay.hasLayer(digestHex(chainId))
    queue.push(statusLine(shortId(blob.digest), isHere ? 'Already exists' : 'Pulling fs layer'))
    return !isHere
  })
  return allOrNone(missing, signal, (job, either) => {
    const id = shortId(job.blob.digest)
    const show: Report = (progress) => {
      if (progress.kind === 'status') queue.push(statusLine(id, progress.status))
      else queue.bar(id, progress.status, progress.current, progress.total)
    }
    return registries.layers.run(job.chainId, either, show, (own, report) => makeLayer(registries, store, client, job, own, report))
  })
}

function jobsOf({ manifest, image, chain }: PullPlan): LayerJob[] {
  const ids = chain.map(digestHex)
  return manifest.layers.flatMap((blob, index) => {
    const diffId = image.config.rootfs.diff_ids[index]
    const chainId = chain[index]
    return diffId === undefined || chainId === undefined ? [] : [{ blob, diffId, chainId, parents: ids.slice(0, index).reverse() }]
  })
}

async function makeLayer(registries: Registries, store: ImageStore, client: RegistryClient, job: LayerJob, signal: AbortSignal, report: Report): Promise<LayerRow> {
  const { blob, chainId, diffId, parents } = job
  // It may outlive the pull that began it.
  await using _connections = registries.transport()
  using _held = store.hold(`pull ${chainId}`)
  const known = registries.made.get(chainId)
  if (known !== undefined) return known
  const parent = parents[0]
  const below = parent === undefined ? undefined : registries.layers.result(`sha256:${parent}`)
  // Its failure is met after the unpacking, or not at all when that fails itself.
  below?.catch(() => undefined)
  await using early = new EarlyLayer(registries, store, blob, signal)
  let isFetched = false
  const extracting = (current: number): void => {
    // Docker's clients show one bar for a layer.
    if (isFetched) report({ kind: 'bar', status: 'Extracting', current, total: blob.size })
  }
  const fetching: Report = (progress) => {
    report(progress)
    early.begin(extracting)
  }
  await registries.fetches.run(blob.digest, signal, fetching, (own, tell) => fetchBlob(registries, store, client, blob, own, tell))
  isFetched = true
  const file = store.content.path(blob.digest)
  const compression = await compressionOf(file)
  await using unpacked = (await early.result()) ?? (await store.overlay.unpackLayer({ file }, signal, extracting))
  // All of an early one may have been read before there was anything to tell.
  extracting(blob.size)
  const name = (found: Digest): string => {
    if (found !== diffId) throw mismatch()
    return digestHex(chainId)
  }
  const layer = await unpacked.place(parents, name, { sync: false, ...(below === undefined ? {} : { below }) })
  const row = { ...layer, blob: { digest: blob.digest, size: blob.size, compression } }
  registries.made.set(chainId, row)
  report({ kind: 'status', status: 'Pull complete' })
  return row
}

/** Fetches a blob into the content store, unless it is there. */
async function fetchBlob(registries: Registries, store: ImageStore, client: RegistryClient, { digest, size }: Descriptor, signal: AbortSignal, report: Report): Promise<void> {
  store.contents.beginFetch(digest, Date.now())
  if ((await store.content.size(digest)) !== size) {
    using coming = comingBlob(registries, digest, size)
    const download = (): Promise<unknown> => downloadBlob(client, { digest, size }, store.content.partialPath(digest), {
      attempts: registries.options.attempts,
      signal,
      onProgress: (current) => {
        coming.grow(current)
        report({ kind: 'bar', status: 'Downloading', current, total: size })
      },
      onRestart: () => coming.restart(),
      onWait: (seconds) => report({ kind: 'status', status: `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}` }),
    })
    await registries.downloads.run(download, { signal, onWait: () => report({ kind: 'status', status: 'Waiting' }) })
    report({ kind: 'status', status: 'Verifying Checksum' })
    await store.content.adopt(digest)
    coming.whole()
  }
  report({ kind: 'status', status: 'Download complete' })
}

/** Lets others see how far a blob is, while it is fetched. What has come of it and turned out to be wrong is abandoned, as is all when it fails. */
function comingBlob({ coming }: Registries, digest: Digest, size: number): { grow(bytes: number): void; restart(): void; whole(): void } & Disposable {
  const abandon = (): void => {
    coming.get(digest)?.abandon()
    coming.delete(digest)
  }
  return {
    grow: (bytes) => {
      const file = coming.get(digest) ?? new GrowingFile(size)
      coming.set(digest, file)
      file.grow(bytes, false)
    },
    restart: abandon,
    whole: () => {
      coming.get(digest)?.grow(size, true)
      coming.delete(digest)
    },
    [Symbol.dispose]: abandon,
  }
}
