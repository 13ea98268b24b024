/**
 * Not guarding code by the processor's protection keys: where a processor has them, V8 13 has aborted in WebAssembly (the parser of
 * HTTP answers is some, and what reads the exports of CommonJS) with `Check failed: it->second.Size() > offset` of its own
 * bookkeeping (nodejs/node issue 64500 has more of the kind). For every Node that may run WebAssembly.
 */
export const withoutProtectionKeys = '--no-memory-protection-keys'

/**
 * Compiling (Sparkplug's part of it) where the code runs: at its end Node waits for the threads that would do it, and one may wait for
 * the main thread to collect garbage, for ever (nodejs/node issue 54918, open).
 */
const compilingInPlace = '--no-concurrent-sparkplug'

/** The daemon is to stay small: a small young generation, and memory given back early. */
export const daemonFlags = ['--max-semi-space-size=2', '--optimize-for-size', withoutProtectionKeys, compilingInPlace, '--no-warnings']
