import { closeSync, createReadStream, createWriteStream, fstatSync, ftruncateSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { LogLimits } from './limits.ts'

/** A place in a log; plain data. */
export interface LogPlace {
  readonly inode: number
  readonly size: number
}

/**
 * A log's file that is written and rotated: `x-json.log`, then `.1` (newest) to `.n`, or `.1.gz` when compressed.
 * Runs in the log worker; writing is synchronous.
 */
export class LogFile {
  readonly #path: string
  readonly #limits: LogLimits
  #fd: number
  #size: number
  /** What a full disk did not take of an entry that was begun. */
  #rest: Buffer | undefined
  /** What is written next begins an entry. */
  #begins = true
  #compression: Promise<void> = Promise.resolve()
  #compressing = false

  /** @param place where the log ended when it was last accounted for: what was written after that is written again, so it is cut off here */
  constructor(path: string, limits: LogLimits, place?: LogPlace) {
    this.#path = path
    this.#limits = limits
    if (place !== undefined) undoRotation(path, place, limits.files)
    this.#fd = open(path)
    const { ino, size } = fstatSync(this.#fd)
    this.#size = size
    if (place !== undefined && place.inode === ino && place.size < size) {
      ftruncateSync(this.#fd, place.size)
      this.#size = place.size
    }
  }

  /** Bytes that a full disk has not taken yet. */
  get waiting(): number {
    return this.#rest?.length ?? 0
  }

  get place(): LogPlace {
    return { inode: fstatSync(this.#fd).ino, size: this.#size }
  }

  /**
   * Appends whole entries; before one that finds the file as long as it may be, the file is rotated (but not while the last one is
   * still being compressed: then it grows).
   * @param entries copied when they cannot be written at once
   * @throws with ENOSPC; call it again with nothing to finish what was begun
   */
  write(entries: Buffer): void {
    let rest = this.#rest === undefined ? entries : Buffer.concat([this.#rest, entries])
    try {
      while (rest.length > 0) {
        if (this.#begins && this.#size >= this.#limits.maximumSize && !this.#compressing) this.#rotate()
        const room = this.#limits.maximumSize - this.#size
        // Up to the end of the entry that fills the file.
        const end = room >= rest.length || this.#compressing ? rest.length : rest.indexOf(10, Math.max(0, room - 1)) + 1
        const written = writeSync(this.#fd, rest, 0, end)
        this.#size += written
        this.#begins = written === end
        rest = rest.subarray(written)
      }
    } finally {
      this.#rest = rest.length === 0 ? undefined : Buffer.from(rest)
    }
  }

  /** Puts a new file in place of the current one. */
  #rotate(): void {
    const { files, compress } = this.#limits
    if (files < 2) {
      ftruncateSync(this.#fd, 0)
      this.#size = 0
      return
    }
    const suffix = compress ? '.gz' : ''
    rmSync(`${this.#path}.${files - 1}${suffix}`, { force: true })
    for (let number = files - 1; number > 1; number--) move(`${this.#path}.${number - 1}${suffix}`, `${this.#path}.${number}${suffix}`)
    move(this.#path, `${this.#path}.1`)
    const fd = open(this.#path)
    closeSync(this.#fd)
    this.#fd = fd
    this.#size = 0
    if (compress) {
      this.#compressing = true
      this.#compression = compressFile(`${this.#path}.1`).catch(() => undefined).finally(() => (this.#compressing = false))
    }
  }

  /** Resolves when nothing is being compressed. */
  async close(): Promise<void> {
    closeSync(this.#fd)
    await this.#compression
  }
}

function open(path: string): number {
  // Appended to, so that a log that somebody empties by hand starts at 0 again.
  return openSync(path, 'a', 0o640)
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

/**
 * A writer was killed after rotations that were not accounted for: what is newer than the accounted file will be written again.
 * (A file that was compressed meanwhile is not found; then some entries come twice.)
 */
function undoRotation(path: string, place: LogPlace, files: number): void {
  if (statSync(path, { throwIfNoEntry: false })?.ino === place.inode) return
  const numbers = Array.from({ length: files - 1 }, (_, index) => index + 1)
  const accounted = numbers.find((number) => statSync(`${path}.${number}`, { throwIfNoEntry: false })?.ino === place.inode)
  if (accounted === undefined) return
  rmSync(path, { force: true })
  for (const number of numbers) {
    for (const suffix of ['', '.gz']) {
      if (number < accounted) rmSync(`${path}.${number}${suffix}`, { force: true })
      else move(`${path}.${number}${suffix}`, number === accounted ? path : `${path}.${number - accounted}${suffix}`)
    }
  }
}

async function compressFile(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz.new`, { mode: 0o640 }))
  renameSync(`${path}.gz.new`, `${path}.gz`)
  rmSync(path)
}
