import type { OciResources } from '../spec.ts'
import { readControl, writeControlIfThere } from './control-file.ts'
import { cgroupLayout, type Place } from './hierarchy.ts'
import { readdirSync } from 'node:fs'

const noPids = 'Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.'

/** Limits how many processes and threads there may be; 0 and less is without limit. */
export function applyPids(place: Place | undefined, pids: OciResources['pids'], warnings: string[]): void {
  if (pids === undefined) return
  const value = pids.limit > 0 ? String(pids.limit) : 'max'
  if ((place === undefined || !writeControlIfThere(`${place.directory}/pids.max`, value)) && pids.limit > 0) warnings.push(noPids)
}

/** Host pids of every process in a cgroup and in the cgroups that were made below it, ascending; none when it is gone. */
export function pids(path: string): number[] {
  // v1: any hierarchy would do, and freezer is what processes are frozen by before they are killed.
  const place = cgroupLayout().place('freezer', path) ?? cgroupLayout().place('memory', path)
  return place === undefined ? [] : [...new Set(pidsIn(place.directory))].sort((a, b) => a - b)
}

/** Host pids in one directory and those below it; unsorted. */
export function pidsIn(directory: string): number[] {
  return groupsIn(directory).flatMap((group) =>
    (readControl(`${group}/cgroup.procs`) ?? '')
      .split('\n')
      .filter((line) => line !== '' && line !== '0')
      .map(Number),
  )
}

/** A cgroup's directory and all below it, the lowest first; none when it is gone. */
export function groupsIn(directory: string): string[] {
  let names: string[]
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
  } catch {
    return []
  }
  return [...names.flatMap((name) => groupsIn(`${directory}/${name}`)), directory]
}
