import { watch } from 'node:fs'
import { dirname } from 'node:path'
import type { LogOptions, OutputChunk, OutputFraming } from '../interface.ts'
import { EntryReader } from './entry-reader.ts'
import { OutputBuffer } from './output-buffer.ts'
import { lastLines, openLogFile, openRotated, rotatedCount, type OpenLogFile } from './rotated-files.ts'
import type { ReadLog } from './types.ts'

const BLOCK_BYTES = 256 * 1024
const LITTLE_BYTES = 16 * 1024

/**
 * Reads a log back as `docker logs` shows it: entries, many in one buffer. Two buffers are used in turns, so that one can be filled
 * while the other is written to a client: each is valid until the one after the next is asked for.
 *
 * With `follow` it goes on until the container has stopped, `until` is over, or the signal; rotations meanwhile are followed.
 * @throws what reading throws; a log that was never written is empty
 */
export async function* readLogs(log: ReadLog, options: LogOptions, framing: OutputFraming, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const entries = new EntryReader(options, framing)
  let [filled, other] = [new OutputBuffer(), new OutputBuffer()]
  for await (const lines of logLines(log, options, signal)) {
    filled.clear()
    const over = entries.read(lines, filled)
    if (filled.length > 0) {
      yield filled.content
      ;[filled, other] = [other, filled]
    }
    if (over) return
  }
}

/** The same as chunks, one for each entry, which are the caller's. */
export async function* readLogChunks(log: ReadLog, options: LogOptions, signal: AbortSignal): AsyncGenerator<OutputChunk, void, undefined> {
  const pieces: { readonly stream: OutputChunk['stream']; readonly length: number }[] = []
  const framing: OutputFraming = { headerBytes: 0, writeHeader: (_into, _at, stream, length) => pieces.push({ stream, length }) }
  for await (const batch of readLogs(log, options, framing, signal)) {
    const data = Buffer.from(batch)
    let at = 0
    for (const { stream, length } of pieces.splice(0)) {
      yield { stream, data: data.subarray(at, at + length) }
      at += length
    }
  }
}

/** The lines of a log's files, oldest first, then (with `follow`) those that come. */
async function* logLines(log: ReadLog, { follow, tail, until }: LogOptions, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const rotated = await rotatedCount(log.logPath, log.files - 1)
  // The files' first lines that are wanted, from the newest file backwards.
  const from: { readonly number: number; readonly offset: number }[] = []
  let wanted = tail ?? Number.POSITIVE_INFINITY
  for (let number = 0; number <= rotated && (wanted > 0 || number === 0); number++) {
    if (wanted === Number.POSITIVE_INFINITY) {
      from.unshift({ number, offset: 0 })
      continue
    }
    await using file = await openNumber(log.logPath, number)
    if (file === undefined) continue
    const { offset, found } = await lastLines(file, wanted)
    from.unshift({ number, offset })
    wanted -= found
  }
  for (const { number, offset } of from.filter((file) => file.number > 0)) {
    await using file = await openNumber(log.logPath, number)
    if (file !== undefined) yield* fileLines(file, offset, signal)
  }
  const offset = from.find((file) => file.number === 0)?.offset ?? 0
  if (follow) {
    yield* followedLines(log, offset, until, signal)
  } else {
    await using file = await openLogFile(log.logPath)
    if (file !== undefined) yield* fileLines(file, offset, signal)
  }
}

function openNumber(path: string, number: number): Promise<OpenLogFile | undefined> {
  return number === 0 ? openLogFile(path) : openRotated(path, number)
}

/**
 * A file's whole lines from `offset` on, many at once, as far as it goes now; each buffer is overwritten when the next is asked for.
 * @returns where the rest begins
 */
async function* fileLines(file: OpenLogFile, offset: number, signal: AbortSignal): AsyncGenerator<Buffer, number, undefined> {
  const expected = (await file.now()).size - offset
  let block = Buffer.allocUnsafeSlow(Math.min(Math.max(expected + 1, LITTLE_BYTES), BLOCK_BYTES))
  // Bytes of a line that goes on, at the block's beginning.
  let rest = 0
  let begun = offset
  for (let position = offset; !signal.aborted; ) {
    if (rest === block.length) {
      const larger = Buffer.allocUnsafeSlow(2 * rest)
      block.copy(larger)
      block = larger
    }
    const length = await file.read(block.subarray(rest), position)
    if (length === 0) break
    position += length
    const filled = rest + length
    const end = block.subarray(0, filled).lastIndexOf(10) + 1
    rest = filled - end
    if (end === 0) continue
    begun = position - rest
    yield block.subarray(0, end)
    block.copyWithin(0, end, filled)
  }
  return begun
}

/** The current file's lines from `offset` on, and of those that take its place, until the container has stopped. */
async function* followedLines(log: ReadLog, from: number, until: bigint | undefined, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  let over = false
  let wake: (() => void) | undefined
  let changed = false
  const notice = (): void => {
    changed = true
    wake?.()
  }
  const finish = (): void => {
    over = true
    wake?.()
  }
  using stack = new DisposableStack()
  // The directory, since the file's name comes to mean another file.
  const watcher = watch(dirname(log.logPath), notice)
  watcher.on('error', finish)
  stack.defer(() => watcher.close())
  signal.addEventListener('abort', finish)
  stack.defer(() => signal.removeEventListener('abort', finish))
  log.ended.then(finish, finish)
  if (until !== undefined) {
    const timer = setTimeout(finish, Math.max(0, Math.min(Number(until / 1_000_000n) - Date.now(), 0x7fff_ffff)))
    stack.defer(() => clearTimeout(timer))
  }
  let file = await openLogFile(log.logPath)
  let offset = from
  try {
    for (;;) {
      const last = over
      changed = false
      file ??= await openLogFile(log.logPath)
      if (file !== undefined) {
        // Somebody emptied it.
        if ((await file.now()).size < offset) offset = 0
        offset = yield* fileLines(file, offset, signal)
        const next = await successor(log, file)
        if (next !== undefined) {
          offset = yield* fileLines(file, offset, signal)
          await file[Symbol.asyncDispose]()
          file = next
          offset = 0
          continue
        }
      }
      if (last || signal.aborted) return
      if (!changed && !over) await new Promise<void>((resolve) => (wake = resolve))
      wake = undefined
    }
  } finally {
    await file?.[Symbol.asyncDispose]()
  }
}

/** The file that came after one that may have been rotated away. @returns undefined while it is the current one */
async function successor(log: ReadLog, file: OpenLogFile): Promise<OpenLogFile | undefined> {
  const current = await openLogFile(log.logPath)
  if (current === undefined) return undefined
  if (current.inode === file.inode) {
    await current[Symbol.asyncDispose]()
    return undefined
  }
  // Usually it is `.1` now and the current one follows; after more rotations there are files in between.
  const most = log.files - 1
  for (let number = 1; number <= most; number++) {
    const rotated = await openRotated(log.logPath, number)
    if (rotated === undefined) break
    const found = rotated.inode === file.inode
    await rotated[Symbol.asyncDispose]()
    if (!found || number === 1) {
      if (found) break
      continue
    }
    await current[Symbol.asyncDispose]()
    return openRotated(log.logPath, number - 1)
  }
  return current
}
