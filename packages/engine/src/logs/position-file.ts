import { closeSync, constants, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import type { SpoolPosition } from '@engine/runtime/spool'
import type { LogPlace } from './log-file.ts'
import type { SplitterState } from './line-splitter.ts'

/** How far a spool has been taken into its log. */
export interface Progress {
  readonly spool: SpoolPosition
  readonly stdout: SplitterState
  readonly stderr: SplitterState
  /** Where the log ended then; absent without one. */
  readonly log?: LogPlace
}

// By hand: the log worker is small, and zod would be half of it.
function isProgress(value: unknown): value is Progress {
  if (!isObject(value)) return false
  const { spool, stdout, stderr, log } = value
  return (
    hasIntegers(spool, 'segment', 'index', 'within', 'stdout', 'stderr') && isSplitterState(stdout) && isSplitterState(stderr) && (log === undefined || hasIntegers(log, 'inode', 'size'))
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function hasIntegers(value: unknown, ...names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => Number.isSafeInteger(value[name]) && (value[name] as number) >= 0)
}

function isSplitterState(value: unknown): boolean {
  if (!isObject(value)) return false
  const { pending, partialSince } = value
  return typeof pending === 'string' && (partialSince === undefined || (typeof partialSince === 'string' && /^\d{1,19}$/.test(partialSince)))
}

/** Keeps a Progress in `<spool>/position`, so that after engined's death no line is missing or written twice. */
export class PositionFile {
  readonly #path: string
  #fd: number | undefined

  constructor(spool: string) {
    this.#path = `${spool}/position`
  }

  /** @returns undefined when there is none, or none that can be read */
  read(): Progress | undefined {
    try {
      const bytes = readFileSync(this.#path)
      const progress: unknown = JSON.parse(bytes.toString('utf8', 4, 4 + bytes.readUInt32LE(0)))
      return isProgress(progress) ? progress : undefined
    } catch {
      return undefined
    }
  }

  /** One write in place: a process's death does not tear it, since it lies within few pages and is not truncated. */
  write(progress: Progress): void {
    const text = JSON.stringify(progress)
    const bytes = Buffer.allocUnsafe(4 + Buffer.byteLength(text))
    bytes.writeUInt32LE(bytes.length - 4, 0)
    bytes.write(text, 4)
    this.#fd ??= openSync(this.#path, constants.O_WRONLY | constants.O_CREAT, 0o600)
    writeSync(this.#fd, bytes, 0, bytes.length, 0)
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }

  remove(): void {
    this.close()
    rmSync(this.#path, { force: true })
  }
}
