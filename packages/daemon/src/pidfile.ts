import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { EngineError } from '@engine/linux'
import { processStat } from '@engine/linux/process-stat'

/**
 * Writes this process's pid to a file.
 * @returns what removes it again
 * @throws EngineError conflict when it names a running engined
 */
export function writePidfile(path: string): () => void {
  const other = runningEngined(path)
  if (other !== undefined) throw new EngineError('conflict', `process with PID ${other} is still running`, { hint: `it is named by ${path}` })
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, `${process.pid}\n`)
  renameSync(temporary, path)
  return () => {
    if (pidIn(path) === process.pid) rmSync(path, { force: true })
  }
}

function pidIn(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim())
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

/** A pid may have been reused: only a process that bears our name counts. A dead one that waits for its parent to notice bears it still. */
function runningEngined(path: string): number | undefined {
  const pid = pidIn(path)
  if (pid === undefined || pid === process.pid) return undefined
  const stat = processStat(pid)
  if (stat === undefined || stat.state === 'Z') return undefined
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'engined' ? pid : undefined
  } catch {
    return undefined
  }
}
