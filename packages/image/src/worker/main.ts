import { parentPort } from 'node:worker_threads'
import { Growth } from './growing-file.ts'
import type { Reply, Request } from './job.ts'
import { wireError } from './job.ts'
import { feedJob, runJob, streamJob } from './run.ts'
import { Trough } from './trough.ts'

/*
 * The program of a file worker: takes jobs from the daemon's main thread, one message each. Bundled as a file of its own.
 */

const port = parentPort
if (port === null) throw new Error('this program is a worker of engined')

/** Chunks of a stream that may be under way before the reader must have taken one. */
const window = 8
const cancels = new Map<number, AbortController>()
const credits = new Map<number, { count: number; wake: () => void }>()
const troughs = new Map<number, Trough>()
const growths = new Map<number, Growth>()

port.on('message', (request: Request) => {
  if (request.type === 'cancel') {
    cancels.get(request.id)?.abort()
    credits.get(request.id)?.wake()
    troughs.get(request.id)?.abort()
    growths.get(request.id)?.abort()
  } else if (request.type === 'food') {
    troughs.get(request.id)?.add(request.chunk)
  } else if (request.type === 'grown') {
    growths.get(request.id)?.grow(request.bytes, request.whole)
  } else if (request.type === 'more') {
    const credit = credits.get(request.id)
    if (credit !== undefined) {
      credit.count++
      credit.wake()
    }
  } else {
    void run(request.id, request.job)
  }
})

async function run(id: number, job: (Request & { type: 'run' })['job']): Promise<void> {
  const cancel = new AbortController()
  cancels.set(id, cancel)
  try {
    const result = await perform(id, job, cancel.signal)
    reply({ type: 'done', id, result })
  } catch (error) {
    reply({ type: 'failed', id, error: wireError(error) })
  } finally {
    cancels.delete(id)
    credits.delete(id)
    troughs.delete(id)
    growths.delete(id)
  }
}

async function perform(id: number, job: (Request & { type: 'run' })['job'], signal: AbortSignal): Promise<unknown> {
  switch (job.kind) {
    case 'stream':
    case 'view-archive':
      return stream(id, job, signal)
    case 'unpack-archive':
    case 'view-extract': {
      const trough = new Trough(() => reply({ type: 'hungry', id }))
      troughs.set(id, trough)
      return feedJob(job, trough, signal)
    }
    default: {
      const growth = job.kind === 'extract' && job.growing !== undefined ? new Growth() : undefined
      if (growth !== undefined) growths.set(id, growth)
      return runJob(job, signal, (bytes) => reply({ type: 'progress', id, bytes }), growth)
    }
  }
}

async function stream(id: number, job: Parameters<typeof streamJob>[0], signal: AbortSignal): Promise<void> {
  const credit = { count: window, wake: () => {} }
  credits.set(id, credit)
  for (const chunk of streamJob(job)) {
    while (credit.count === 0 && !signal.aborted) await new Promise<void>((resolve) => (credit.wake = resolve))
    if (signal.aborted) return
    credit.count--
    // A copy with memory of its own, which can be handed over instead of being copied again.
    const own = new Uint8Array(chunk)
    reply({ type: 'chunk', id, chunk: own }, [own.buffer])
  }
}

function reply(message: Reply, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, [...transfer])
}
