import { existsSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processStat } from '@engine/linux/process-stat'

/** Makes a temporary directory that says whose it is, so that a later run can tell when that process has died without clearing it. */
export function makeOwnedDirectory(prefix: string): string {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  writeFileSync(join(directory, 'owner'), `${process.pid} ${processStat(process.pid)?.startTime}`)
  return directory
}

/** The directories that runs have left which died; another test file may be at clearing the same. */
export function deadDirectories(prefix: string): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith(prefix)).map((name) => join(tmpdir(), name)).filter((directory) => {
    const owner = join(directory, 'owner')
    if (!existsSync(owner)) return false
    try {
      const [pid, time] = readFileSync(owner, 'utf8').split(' ')
      return time !== undefined && processStat(Number(pid))?.startTime !== time
    } catch {
      return false
    }
  })
}
