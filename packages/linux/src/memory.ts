import { runInNewContext } from 'node:vm'
import { setFlagsFromString } from 'node:v8'
import { libc } from './libc.ts'

const mallocTrim = libc.func('int malloc_trim(size_t)') as (keep: number) => number

const mallopt = libc.func('int mallopt(int, int)') as (parameter: number, value: number) => number
const M_MMAP_THRESHOLD = -3

/**
 * Makes pieces of memory of 64 KiB and more, as buffers of files and connections are, go back to the system when they are freed,
 * mallopt(3). By itself glibc takes pieces of up to 32 MiB out of its heaps as soon as one was freed: each thread's heap then has holes
 * that nothing fills.
 */
export function returnLargePieces(): void {
  mallopt(M_MMAP_THRESHOLD, 64 << 10)
}

let collect: ((options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void) | undefined

/**
 * Gives back what this process no longer uses: a full collection of V8's heap, with the code that has not run lately, and
 * malloc_trim(3). Neither does so by itself while nobody asks for memory, which in a daemon at rest is for ever.
 * Takes some 20 ms of this thread: for quiet moments.
 */
export function giveMemoryBack(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    const found: unknown = runInNewContext('gc')
    if (typeof found !== 'function') return
    collect = found as NonNullable<typeof collect>
  }
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  mallocTrim(0)
}

/** How long nothing may have been done before memory is given back, in milliseconds. */
const QUIET = 3000

/** Gives memory back once after every busy spell. No timer runs while the process is at rest. */
export class QuietCollector implements Disposable {
  #timer: NodeJS.Timeout | undefined

  /** Says that something is being done. */
  disturb(): void {
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        giveMemoryBack()
      }, QUIET)
      this.#timer.unref()
    } else this.#timer.refresh()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
