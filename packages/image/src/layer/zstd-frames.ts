import { EngineError } from '@engine/linux'

const frameMagic = 0xfd2fb528
const skippableMagic = 0x184d2a50

/**
 * Cuts a zstd stream into pieces that never reach over the end of a frame, without its skippable frames: Node's decompressor stops
 * at the first frame's end when there is more in the same piece. Layers of several frames are common (zstd:chunked, pzstd).
 * The format is RFC 8878, section 3.1.
 * @throws EngineError invalid-argument when it is not made of frames
 */
export async function* cutFrames(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const state: State = { at: 'magic', need: 4, hasChecksum: false, isLast: false }
  let header: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    let pieces: Buffer[] = []
    for (let at = 0; at < chunk.length; ) {
      if (state.at === 'content' || state.at === 'skip') {
        const take = Math.min(state.need, chunk.length - at)
        if (state.at === 'content') pieces.push(chunk.subarray(at, at + take))
        state.need -= take
        at += take
        if (state.need === 0) contentEnds(state)
      } else {
        const take = Math.min(state.need - header.length, chunk.length - at)
        header = Buffer.concat([header, chunk.subarray(at, at + take)])
        at += take
        if (header.length < state.need) break
        if (headerEnds(state, header)) pieces.push(header)
        header = Buffer.alloc(0)
      }
      if (state.at === 'magic' && pieces.length > 0 && header.length === 0) {
        yield Buffer.concat(pieces)
        pieces = []
      }
    }
    if (pieces.length > 0) yield Buffer.concat(pieces)
  }
  if (state.at !== 'magic' || header.length > 0) throw new EngineError('invalid-argument', 'unexpected EOF')
}

interface State {
  /** What comes next: small parts are collected whole, `content` and `skip` pass. */
  at: 'magic' | 'skip-size' | 'skip' | 'descriptor' | 'block' | 'content' | 'checksum'
  /** Bytes of it that are still to come. */
  need: number
  hasChecksum: boolean
  isLast: boolean
}

/** Goes on after a part that was collected. Returns whether it belongs to what the decompressor gets. */
function headerEnds(state: State, bytes: Buffer): boolean {
  switch (state.at) {
    case 'magic': {
      const magic = bytes.readUInt32LE(0)
      if (((magic & 0xfffffff0) >>> 0) === skippableMagic) {
        next(state, 'skip-size', 4)
        return false
      }
      if (magic !== frameMagic) throw new EngineError('invalid-argument', 'zstd: the data is damaged')
      next(state, 'descriptor', 1)
      return true
    }
    case 'skip-size': {
      const size = bytes.readUInt32LE(0)
      if (size === 0) next(state, 'magic', 4)
      else next(state, 'skip', size)
      return false
    }
    case 'descriptor': {
      const descriptor = bytes[0] as number
      const isSingle = (descriptor & 0x20) !== 0
      state.hasChecksum = (descriptor & 0x04) !== 0
      const size = (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number) + ([isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number)
      state.isLast = false
      // The rest of the frame's header passes like content of a block that is not the last.
      next(state, 'content', size)
      return true
    }
    case 'block': {
      const block = bytes.readUIntLE(0, 3)
      const type = (block >> 1) & 3
      if (type === 3) throw new EngineError('invalid-argument', 'zstd: the data is damaged')
      state.isLast = (block & 1) === 1
      const size = type === 1 ? 1 : block >> 3
      if (size === 0) contentEnds(state)
      else next(state, 'content', size)
      return true
    }
    default:
      next(state, 'magic', 4)
      return true
  }
}

function contentEnds(state: State): void {
  if (state.at === 'skip') next(state, 'magic', 4)
  else if (!state.isLast) next(state, 'block', 3)
  else if (state.hasChecksum) next(state, 'checksum', 4)
  else next(state, 'magic', 4)
}

function next(state: State, at: State['at'], need: number): void {
  state.at = at
  state.need = need
}
