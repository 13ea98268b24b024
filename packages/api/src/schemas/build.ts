import * as z from 'zod'
import { filters } from './filters.ts'
import { bool, int, json, optionalWord, platform, word, words } from './parameters.ts'

/** POST /build. `buildargs`, `labels` and `cachefrom` are JSON; numbers that are none count as not given, as in moby. */
export const ImageBuildQuery = z.object({
  dockerfile: word.transform((path) => (path === '' ? 'Dockerfile' : path)),
  t: words,
  remote: optionalWord,
  extrahosts: words,
  q: bool(),
  nocache: bool(),
  cachefrom: json(z.array(z.string()).nullable(), 'cache-from'),
  pull: bool(),
  rm: bool(true),
  forcerm: bool(),
  memory: lenient(),
  memswap: lenient(),
  cpushares: lenient(),
  cpusetcpus: optionalWord,
  cpusetmems: optionalWord,
  cpuperiod: lenient(),
  cpuquota: lenient(),
  buildargs: json(z.record(z.string(), z.string().nullable()).nullable(), 'build args'),
  shmsize: int(),
  ulimits: json(z.array(z.object({ Name: z.string(), Hard: z.int(), Soft: z.int() })).nullable(), 'ulimit settings'),
  cgroupparent: word,
  securityopt: words,
  isolation: word,
  squash: bool(),
  labels: json(z.record(z.string(), z.string()).nullable(), 'labels'),
  networkmode: word,
  platform: platform.transform((name) => name ?? ''),
  target: word,
  session: optionalWord,
  version: word,
  // Of our own, for `engine build`; docs/builds.md.
  inputs: optionalWord,
  cacheto: words,
  context: optionalWord,
  contexts: json(z.record(z.string(), z.string()).nullable(), 'build contexts'),
  allow: words,
  progress: z.enum(['classic', 'steps']).optional(),
  why: bool(),
  expectcached: bool(),
  check: bool(),
  epoch: optionalWord,
  verify: bool(),
})

/** POST /build/inputs, of our own. Secrets are base64. */
export const BuildInputsBody = z.object({
  Secrets: z.record(z.string(), z.base64()).nullish(),
  Agents: z.record(z.string(), z.string()).nullish(),
})

/** PUT /build/inputs/{name}, of our own: a tar of a named context's files. */
export const BuildInputsQuery = z.object({ context: word })

/** POST /build/prune. `keep-storage` is the name of `reserved-space` before 1.48. */
export const BuildPruneQuery = z.object({
  all: bool(),
  filters,
  'keep-storage': bytes('keep-storage'),
  'reserved-space': bytes('reserved-space'),
  'max-used-space': bytes('max-used-space'),
  'min-free-space': bytes('min-free-space'),
})

/** A number of bytes; absent or empty is 0, which is no bound. */
function bytes(name: string): z.ZodType<number, string | undefined> {
  return z.string().optional().transform((value, context) => {
    if (value === undefined || value === '') return 0
    if (/^[+-]?\d+$/.test(value)) return Number(value)
    context.addIssue({ code: 'custom', message: `${name} is in bytes and expects an integer, got ${value}: strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax` })
    return z.NEVER
  }).meta({ type: 'integer' })
}

function lenient(): z.ZodType<number | undefined, string | undefined> {
  return z.string().optional().transform((value) => (value !== undefined && /^-?\d+$/.test(value) ? Number(value) : undefined)).meta({ type: 'integer' })
}

/** POST /build/contexts, of our own: the files of a directory, of which the daemon says which it wants. */
export const BuildContextsBody = z.object({
  Key: z.string(),
  Entries: z.array(z.tuple([z.string(), z.enum(['f', 'd', 'l']), z.string()])),
})
