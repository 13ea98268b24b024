import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { tryLock } from '@engine/linux/file-lock'

/** Something on the host that is one daemon's alone for as long as it lives. */
export interface Claim {
  release(): void
}

/**
 * Claims what `file` stands for. The kernel lets go of the lock when the process ends, however it ends, so a claim is never stale and
 * never stolen.
 * @param file the lock file; holds the owner's pid, for people
 * @param what is claimed, for the error: `data-root /var/lib/engine`
 * @throws EngineError conflict when another process has it
 */
export function claim(file: string, what: string): Claim {
  for (;;) {
    const fd = openSync(file, 'a+', 0o600)
    if (!tryLock(fd)) {
      const owner = readFileSync(file, 'utf8').trim()
      closeSync(fd)
      throw new EngineError('conflict', `${what} is in use by another engined${owner === '' ? '' : ` (pid ${owner})`}`, {
        hint: 'stop that one, or give this one names of its own (engined --help)',
      })
    }
    // The owner before may have removed the file between our open and our lock: then the lock is on a file that nobody else will find.
    if (isStill(file, fd)) {
      ftruncateSync(fd)
      writeSync(fd, `${process.pid}\n`)
      return {
        release() {
          if (isStill(file, fd)) unlinkSync(file)
          closeSync(fd)
        },
      }
    }
    closeSync(fd)
  }
}

function isStill(file: string, fd: number): boolean {
  const found = statSync(file, { throwIfNoEntry: false })
  return found !== undefined && found.ino === fstatSync(fd).ino
}
