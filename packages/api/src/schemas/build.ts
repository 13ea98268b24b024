import * as z from 'zod'
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
  cpuperiod: lenient(),
  cpuquota: lenient(),
  buildargs: json(z.record(z.string(), z.string().nullable()).nullable(), 'build args'),
  shmsize: int(),
  squash: bool(),
  labels: json(z.record(z.string(), z.string()).nullable(), 'labels'),
  networkmode: word,
  platform: platform.transform((name) => name ?? ''),
  target: word,
  session: optionalWord,
  version: word,
})

function lenient(): z.ZodType<number | undefined, string | undefined> {
  return z.string().optional().transform((value) => (value !== undefined && /^-?\d+$/.test(value) ? Number(value) : undefined))
}
