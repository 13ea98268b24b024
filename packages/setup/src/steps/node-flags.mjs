/**
 * Not guarding code by the processor's protection keys: where a processor has them, V8 13 has aborted in WebAssembly (the parser of
 * HTTP answers is some, and what reads the exports of CommonJS) with `Check failed: it->second.Size() > offset` of its own
 * bookkeeping (nodejs/node issue 64500 has more of the kind). For every Node that may run WebAssembly.
 */
export const withoutProtectionKeys = '--no-memory-protection-keys'

/** The daemon is to stay small: a small young generation, and memory given back early. */
export const daemonFlags = ['--max-semi-space-size=2', '--optimize-for-size', withoutProtectionKeys, '--no-warnings']
