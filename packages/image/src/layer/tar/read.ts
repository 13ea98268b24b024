import { EngineError } from '@engine/linux'
import { counted, decompressed } from '../compression.ts'
import { checkRatio, type TarLimits } from './entry.ts'
import { TarReader, type TarHandler } from './reader.ts'

/**
 * Reads a tar, compressed or not, as it comes.
 * @returns its bytes, uncompressed; 0 when nothing came, which is for the caller to judge
 * @throws EngineError invalid-argument for what is no tar or beyond the limits, cancelled when the signal comes; what the handler throws
 */
export async function readTar(chunks: AsyncIterable<Buffer>, handler: TarHandler, limits: TarLimits, signal: AbortSignal): Promise<number> {
  const reader = new TarReader(handler, limits)
  let [read, size] = [0, 0]
  for await (const chunk of decompressed(counted(chunks, (bytes) => (read = bytes)))) {
    if (signal.aborted) throw new EngineError('cancelled', 'cancelled')
    size += chunk.length
    checkRatio(limits, read, size)
    reader.push(chunk)
  }
  if (size > 0) reader.end()
  return size
}
