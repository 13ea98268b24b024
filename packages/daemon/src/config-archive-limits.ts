import * as z from 'zod'
import { defaultLimits, type EngineOptions } from '@engine/engine'
import { parseSize } from './config-values.ts'

const count = (most: number): z.ZodType<number, number> => z.number().int().min(1, 'must be at least 1').max(most, `must be at most ${most}`)

/** A size, `1M`, as bytes. */
const size = (most: number): z.ZodType<number> =>
  z
    .union([z.number(), z.string().transform((text, context) => {
      try {
        return parseSize(text)
      } catch {
        context.addIssue({ code: 'custom', message: 'must be a size such as 64M' })
        return z.NEVER
      }
    })], 'must be a size such as 64M')
    .pipe(count(most))

/** `archive-limits`: what archives and the layers of images may be like. */
export const ArchiveLimits = z.strictObject({
  entries: count(2 ** 31).optional(),
  depth: count(4096).optional(),
  // No system call takes a longer one.
  'path-length': count(4096).optional(),
  'pax-size': size(64 << 20).optional(),
  'sparse-size': size(2 ** 53 - 1).optional(),
  'total-size': size(2 ** 52).optional(),
  'compression-ratio': count(2 ** 31).optional(),
  'compression-ratio-from': size(2 ** 53 - 1).optional(),
})

/** The engine's part of it: what is not said is as by default. */
export function archiveLimits(given: z.infer<typeof ArchiveLimits>): NonNullable<EngineOptions['archiveLimits']> {
  return {
    ...defaultLimits,
    entries: given.entries ?? defaultLimits.entries,
    depth: given.depth ?? defaultLimits.depth,
    pathBytes: given['path-length'] ?? defaultLimits.pathBytes,
    paxBytes: given['pax-size'] ?? defaultLimits.paxBytes,
    sparseBytes: given['sparse-size'] ?? defaultLimits.sparseBytes,
    contentBytes: given['total-size'] ?? defaultLimits.contentBytes,
    ratio: given['compression-ratio'] ?? defaultLimits.ratio,
    ratioFrom: given['compression-ratio-from'] ?? defaultLimits.ratioFrom,
  }
}
