import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { openRoot, removeTree } from '@engine/linux/paths'
import { unpackArchive } from '../archive/unpack.ts'
import { copyLayer, copyTree, extract } from '../layer/apply.ts'
import { cloneTree } from '../layer/clone.ts'
import { layerChanges } from '../layer/changes.ts'
import { clampTimes } from '../layer/clamp-times.ts'
import { firstDifference } from '../layer/compare.ts'
import { diffTree } from '../layer/diff.ts'
import { syncTree } from '../layer/sync.ts'
import { treeUsage } from '../layer/usage.ts'
import { archiveView } from '../view/archive.ts'
import { extractIntoView } from '../view/extract.ts'
import { seenInContainer } from '../view/ids.ts'
import { statView } from '../view/stat.ts'
import { View } from '../view/view.ts'
import type { Growth } from './growing-file.ts'
import type { Archived, FeedJob, Job, StreamJob } from './job.ts'

/** Does one job, on the thread that calls it. */
export async function runJob(job: Job, signal: AbortSignal, onProgress?: (bytes: number) => void, growth?: Growth): Promise<unknown> {
  switch (job.kind) {
    case 'extract':
      return extract(job.file, job.directory, job.options, signal, onProgress, job.growing === undefined || growth === undefined ? undefined : { size: job.growing, growth })
    case 'copy-layer':
      return copyLayer(job.from, job.directory, job.options, signal)
    case 'copy-tree':
      return copyTree(job.root, job.path, job.directory, { kind: 'tree', sync: false }, signal)
    case 'clone-tree':
      cloneTree(job.from, job.to, signal)
      return undefined
    case 'archive':
      return archive(job.directory, job.archive, job.file)
    case 'changes':
      return layerChanges(job.upper, job.lowers)
    case 'view-stat': {
      using view = new View(job.view)
      return statView(view, Buffer.from(job.path))
    }
    case 'compare':
      return firstDifference(job.one, job.other)
    case 'clamp-times':
    case 'sync':
    case 'usage':
    case 'remove': {
      using root = openRoot(job.directory)
      if (job.kind === 'usage') return treeUsage(root.fd)
      if (job.kind === 'clamp-times') clampTimes(root.fd, job.seconds)
      else if (job.kind === 'sync') syncTree(root.fd)
      else removeTree(root.fd, job.name)
      return undefined
    }
  }
}

/** Does a job on the stream that it is fed with. */
export async function feedJob(job: FeedJob, chunks: AsyncIterable<Buffer>, signal: AbortSignal): Promise<unknown> {
  if (job.kind === 'unpack-archive') return unpackArchive(chunks, job.directory, signal, job.limits)
  using view = new View(job.view)
  await extractIntoView(view, Buffer.from(job.path), chunks, job.options, signal)
  return undefined
}

function* pieces(job: StreamJob): Generator<Buffer, void, undefined> {
  if (job.kind === 'stream') {
    using root = openRoot(job.directory)
    yield* diffTree(root.fd, { kind: job.archive, seen: (entry) => seenInContainer(entry, job.ids) })
  } else {
    using view = new View(job.view)
    yield* archiveView(view, Buffer.from(job.path), Buffer.from(job.name))
  }
}

/** The pieces of a tar, small ones put together. */
export function* streamJob(job: StreamJob): Generator<Buffer, void, undefined> {
  let pending: Buffer[] = []
  let size = 0
  for (const piece of pieces(job)) {
    pending.push(piece)
    size += piece.length
    if (size < chunkSize) continue
    yield Buffer.concat(pending)
    pending = []
    size = 0
  }
  if (size > 0) yield Buffer.concat(pending)
}

const chunkSize = 256 << 10

function archive(directory: string, kind: 'layer' | 'archive', file: string | undefined): Archived {
  const hash = createHash('sha256')
  let tarSize = 0
  const fd = file === undefined ? undefined : openSync(file, 'wx', 0o600)
  try {
    for (const chunk of streamJob({ kind: 'stream', directory, archive: kind })) {
      hash.update(chunk)
      tarSize += chunk.length
      if (fd !== undefined) for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done)
    }
    if (fd !== undefined) fsyncSync(fd)
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
  return { diffId: `sha256:${hash.digest('hex')}`, tarSize }
}
