import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'

const directory = join(import.meta.dirname, 'scenarios')

/** Command lines that build on each other, on a daemon that has nothing but the image `busybox`. */
export interface Scenario {
  readonly name: string
  /** Lines for sh(1), in which `docker` is the command under test. */
  readonly lines: readonly string[]
  /** Events whose actions begin so are left out: how many there are depends on the time that lines take. */
  readonly without: readonly string[]
}

/** Reads the scenarios: a file each; `#` begins a remark, `# without events exec_ health_` leaves such events out. */
export function scenarios(): Scenario[] {
  return readdirSync(directory).filter((file) => file.endsWith('.txt')).sort().map((file) => {
    const text = readFileSync(join(directory, file), 'utf8')
    return {
      name: basename(file, '.txt'),
      lines: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
      without: /^# without events (.+)$/m.exec(text)?.[1]?.split(' ') ?? [],
    }
  })
}
