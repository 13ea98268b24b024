import { appendFileSync, readFileSync } from 'node:fs'
import type { IdMapping } from '@engine/linux/id-mappings'
import { EngineError } from '@engine/linux'

/** One line of /etc/subuid or /etc/subgid (subuid(5)): `name:first:count`. */
export interface SubordinateRange {
  /** A name, or an id in digits. */
  readonly owner: string
  readonly first: number
  readonly count: number
}

/** What useradd(8) gives out unless login.defs says otherwise. */
const firstGiven = 100_000
const countGiven = 65_536
/** One below the largest id, which the kernel takes for "none". */
const largest = 0xffff_fffe

/** Takes a file's text apart. Lines that are none are nobody's. Pure. */
export function parseSubordinateRanges(text: string): SubordinateRange[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([^:#\s]+):(\d+):(\d+)\s*$/.exec(line)
    return match === null ? [] : [{ owner: match[1] as string, first: Number(match[2]), count: Number(match[3]) }]
  })
}

/**
 * The ids of a user namespace, from 0 on, by the ranges that somebody has, one after the other as Docker puts them.
 * @param owners name and id of who has them
 * @param shown  for errors: `subuid`, and who
 * @throws EngineError invalid-argument in Docker's words when there are none, and for a range that has the host's own users in it
 */
export function mappingsOf(ranges: readonly SubordinateRange[], owners: readonly string[], shown: { readonly what: string; readonly who: string; readonly file: string }): IdMapping[] {
  let containerID = 0
  const mappings: IdMapping[] = []
  for (const { owner, first, count } of ranges) {
    if (!owners.includes(owner) || count === 0) continue
    if (first === 0) throw new EngineError('invalid-argument', `${shown.file}: the range ${owner}:${first}:${count} begins with the host's root`, { hint: 'the root of containers would be that root' })
    if (first + count - 1 > largest || containerID + count - 1 > largest) throw new EngineError('invalid-argument', `${shown.file}: the range ${owner}:${first}:${count} goes beyond the largest id`)
    mappings.push({ containerID, hostID: first, size: count })
    containerID += count
  }
  if (mappings.length === 0) throw new EngineError('invalid-argument', `no ${shown.what} ranges found for user ${JSON.stringify(shown.who)}`, { hint: `add a line such as ${shown.who}:${firstGiven}:${countGiven} to ${shown.file}` })
  return mappings
}

/** The lowest range of the usual size that is in nobody's. Pure. @param taken of both files */
export function freeRange(taken: readonly SubordinateRange[]): { readonly first: number; readonly count: number } {
  let first = firstGiven
  for (const range of taken.toSorted((a, b) => a.first - b.first)) {
    if (range.first >= first + countGiven) break
    first = Math.max(first, range.first + range.count)
  }
  return { first, count: countGiven }
}

/** Reads a file of ranges; one that is not there has none. */
export function readRanges(file: string): SubordinateRange[] {
  try {
    return parseSubordinateRanges(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/**
 * Gives somebody a range in both files, unless there is one: with an entry there, useradd(8) gives it to no one else.
 * @throws EngineError unavailable when the files cannot be written to
 */
export function reserveRange(owner: string, files: { readonly subuid: string; readonly subgid: string }): void {
  const [uids, gids] = [readRanges(files.subuid), readRanges(files.subgid)]
  const { first, count } = freeRange([...uids, ...gids])
  const line = `${owner}:${first}:${count}`
  for (const [file, ranges] of [[files.subuid, uids], [files.subgid, gids]] as const) {
    if (ranges.some((range) => range.owner === owner)) continue
    try {
      appendFileSync(file, `${endsInside(file) ? '\n' : ''}${line}\n`, { mode: 0o644 })
    } catch (cause) {
      throw new EngineError('unavailable', `${file} cannot be written to: ${cause instanceof Error ? cause.message : String(cause)}`, { hint: `add the line ${line} to ${files.subuid} and ${files.subgid}`, cause })
    }
  }
}

/** Whether a file's last line is not ended. */
function endsInside(file: string): boolean {
  try {
    const text = readFileSync(file, 'utf8')
    return text !== '' && !text.endsWith('\n')
  } catch {
    return false
  }
}
