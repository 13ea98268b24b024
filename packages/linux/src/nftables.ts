import koffi from 'koffi'
import { Errno, errnoName } from './errno.ts'
import { EngineError } from './error.ts'
import { reserveLowDescriptors, withLowDescriptor } from './low-descriptors.ts'
import { tracer } from './tracer.ts'

/** nftables.h: NFT_CTX_OUTPUT_JSON. */
const jsonOutput = 1 << 4
/** NFT_CTX_OUTPUT_HANDLE. */
const handleOutput = 1 << 3
/** Another process committed between reading and writing; the kernel asks to try again. */
const attempts = 10

/**
 * A transaction that the kernel refused, or text that the library did not understand; nothing of it was applied.
 * `errno` is the kernel's, 0 for a mistake in the text.
 */
export class NftablesError extends EngineError {
  readonly errno: number

  constructor(message: string, errno: number) {
    super('internal', message)
    this.name = 'NftablesError'
    this.errno = errno
  }
}

/**
 * nftables by its own library (libnftables(3)): one context, bound to the thread that made it and to the network namespace in
 * which that thread was. Changes are made in nft(8)'s language; each text is one transaction, applied whole or not at all.
 */
export class Nftables implements Disposable {
  readonly #library = library()
  #context: bigint

  /** @throws EngineError unavailable when libnftables is not installed or the context cannot be made */
  constructor() {
    const library = this.#library
    // Its socket is opened here, and waited for by select(2).
    const context = withLowDescriptor(() => library.contextNew(0), (made) => library.contextFree(made))
    if (context === undefined) throw new EngineError('unavailable', 'cannot set up nftables: all descriptors below 1024 are in use')
    if (context === null) throw new EngineError('unavailable', 'cannot set up nftables: out of memory or no permission')
    this.#context = context
    this.#library.bufferOutput(context)
    this.#library.bufferError(context)
  }

  /**
   * Applies a transaction. Recorded in the ledger as `nft` with its text.
   * @param text commands, one a line
   * @throws NftablesError with the library's words
   */
  run(text: string): void {
    this.#execute(text, 0, true)
  }

  /**
   * What a `list …` command gives, as libnftables-json(5) describes it; undefined when what it names does not exist.
   * @throws NftablesError
   */
  list(command: string): unknown {
    try {
      this.#execute(command, jsonOutput, false)
    } catch (error) {
      if (error instanceof NftablesError && error.errno === Errno.ENOENT) return undefined
      throw error
    }
    const output = this.#library.output(this.#context)
    return output === '' || output === null ? undefined : (JSON.parse(output) as unknown)
  }

  /** What a `list …` command prints, in nft(8)'s language and with handles; '' when what it names does not exist. @throws NftablesError */
  print(command: string): string {
    try {
      this.#execute(command, handleOutput, false)
    } catch (error) {
      if (error instanceof NftablesError && error.errno === Errno.ENOENT) return ''
      throw error
    }
    return this.#library.output(this.#context) ?? ''
  }

  /** Lets the context go; nothing happens the second time. */
  close(): void {
    if (this.#context === 0n) return
    this.#library.contextFree(this.#context)
    this.#context = 0n
    reserveLowDescriptors()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #execute(text: string, outputFlags: number, record: boolean): void {
    if (this.#context === 0n) throw new EngineError('internal', 'this nftables context is closed')
    if (text.includes('\0')) throw new EngineError('invalid-argument', 'an nftables command holds a NUL byte')
    this.#library.setOutputFlags(this.#context, outputFlags)
    const report = record ? tracer() : undefined
    const start = report === undefined ? 0n : process.hrtime.bigint()
    let failure: NftablesError | undefined
    for (let attempt = 1; attempt <= attempts; attempt++) {
      failure = undefined
      if (this.#library.run(this.#context, text) === 0) break
      const words = this.#library.error(this.#context) ?? ''
      failure = new NftablesError(`nft: ${firstError(words)}`, errnoOf(words))
      if (failure.errno !== Errno.EINTR) break
    }
    if (report !== undefined) {
      const nanoseconds = Number(process.hrtime.bigint() - start)
      if (failure === undefined) report({ call: 'nft', args: { text }, result: 0, nanoseconds })
      else report({ call: 'nft', args: { text, reason: failure.message }, result: -1, errno: errnoName(failure.errno === 0 ? Errno.EINVAL : failure.errno), nanoseconds })
    }
    if (failure !== undefined) throw failure
  }
}

/** The first `Error: …` of the library's output, without the lines that point at the place. */
function firstError(words: string): string {
  const line = words.split('\n').find((candidate) => candidate.includes('Error: '))
  return line === undefined ? words.trim() || 'failed without a word' : line.slice(line.indexOf('Error: ') + 'Error: '.length).trim()
}

/** libnftables passes errno only as its text, at the end of the first error. */
const errnoTexts: readonly (readonly [string, number])[] = [
  ['Operation not permitted', Errno.EPERM],
  ['No such file or directory', Errno.ENOENT],
  ['Interrupted system call', Errno.EINTR],
  ['Cannot allocate memory', Errno.ENOMEM],
  ['Device or resource busy', Errno.EBUSY],
  ['File exists', Errno.EEXIST],
  ['Invalid argument', Errno.EINVAL],
  ['Operation not supported', Errno.EOPNOTSUPP],
]

function errnoOf(words: string): number {
  const text = firstError(words)
  return errnoTexts.find(([ending]) => text.includes(ending))?.[1] ?? 0
}

interface Library {
  readonly contextNew: (flags: number) => bigint | null
  readonly contextFree: (context: bigint) => void
  readonly bufferOutput: (context: bigint) => number
  readonly bufferError: (context: bigint) => number
  readonly setOutputFlags: (context: bigint, flags: number) => void
  readonly run: (context: bigint, text: string) => number
  readonly output: (context: bigint) => string | null
  readonly error: (context: bigint) => string | null
}

let loaded: Library | undefined

function library(): Library {
  loaded ??= loadLibrary()
  return loaded
}

function loadLibrary(): Library {
  let nft: ReturnType<typeof koffi.load>
  try {
    nft = koffi.load('libnftables.so.1')
  } catch (cause) {
    throw new EngineError('unavailable', 'libnftables.so.1 is not installed: bridge networks need it', {
      hint: 'install the package libnftables1 (Debian, Ubuntu) or nftables (Fedora, Arch, Alpine)',
      cause,
    })
  }
  return {
    contextNew: nft.func('void *nft_ctx_new(uint32_t flags)'),
    contextFree: nft.func('void nft_ctx_free(void *context)'),
    bufferOutput: nft.func('int nft_ctx_buffer_output(void *context)'),
    bufferError: nft.func('int nft_ctx_buffer_error(void *context)'),
    setOutputFlags: nft.func('void nft_ctx_output_set_flags(void *context, unsigned int flags)'),
    run: nft.func('int nft_run_cmd_from_buffer(void *context, const char *text)'),
    output: nft.func('const char *nft_ctx_get_output_buffer(void *context)'),
    error: nft.func('const char *nft_ctx_get_error_buffer(void *context)'),
  }
}
