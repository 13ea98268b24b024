import { closeSync, fsync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import type { ProcessEnd } from '@engine/linux/wait'
import type { ExitStatus } from './messages.ts'

/** What `exit.json` holds. */
export interface ExitRecord {
  readonly pid: number
  readonly startTime: string
  readonly status: ExitStatus
}

/** An end as Docker tells it: 128 + signal for a killed process; 255 when nobody saw it. */
export function exitStatus(end: ProcessEnd | undefined, oomKilled: boolean, finishedAt: string): ExitStatus {
  if (end === undefined) return { code: 255, oomKilled, finishedAt, lost: true }
  return end.signal === undefined ? { code: end.code, oomKilled, finishedAt } : { code: 128 + end.signal, signal: end.signal, oomKilled, finishedAt }
}

/** RFC 3339 in UTC with nanoseconds: `2026-11-23T17:31:05.123456789Z`. */
export function rfc3339(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${(nanoseconds % 1_000_000_000n).toString().padStart(9, '0')}Z`
}

/**
 * Writes `<directory>/exit.json`: whole or not at all, and on the disk before it has its name. Only the fsync leaves this thread.
 * @throws what writing throws, ENOSPC or ENOENT for instance
 */
export async function writeExitFile(directory: string, record: ExitRecord): Promise<void> {
  const path = `${directory}/exit.json`
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(fd, `${JSON.stringify(record)}\n`)
    await new Promise<void>((resolve, reject) => fsync(fd, (error) => (error === null ? resolve() : reject(error))))
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.new`, path)
}

/** Removes the file of a run before. */
export function removeExitFile(directory: string): void {
  try {
    unlinkSync(`${directory}/exit.json`)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}

/** @returns undefined when there is none that can be read */
export function readExitFile(directory: string): ExitRecord | undefined {
  let record: unknown
  try {
    record = JSON.parse(readFileSync(`${directory}/exit.json`, 'utf8'))
  } catch {
    return undefined
  }
  return isExitRecord(record) ? record : undefined
}

export function isExitRecord(value: unknown): value is ExitRecord {
  if (typeof value !== 'object' || value === null) return false
  const { pid, startTime, status } = value as { readonly [K in keyof ExitRecord]?: unknown }
  return typeof pid === 'number' && typeof startTime === 'string' && isExitStatus(status)
}

function isExitStatus(value: unknown): value is ExitStatus {
  if (typeof value !== 'object' || value === null) return false
  const status = value as { readonly [K in keyof ExitStatus]?: unknown }
  return (
    typeof status.code === 'number' &&
    (status.signal === undefined || typeof status.signal === 'number') &&
    typeof status.oomKilled === 'boolean' &&
    typeof status.finishedAt === 'string' &&
    (status.lost === undefined || typeof status.lost === 'boolean')
  )
}
