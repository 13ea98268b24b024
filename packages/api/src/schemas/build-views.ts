import * as z from 'zod'
import { ProgressLine } from './image-views.ts'

/** What a build says of a step when it begins, changes and ends; times are in milliseconds since the epoch. Of our own, for `engine build`. */
export const BuildStep = z.object({
  id: z.int(),
  name: z.string(),
  started: z.number(),
  completed: z.number().optional(),
  cached: z.boolean().optional(),
  error: z.string().optional(),
  /** Why it was not in the cache. */
  reasons: z.array(z.string()).optional(),
})

/** One line of a build's progress; the last three fields with `progress=steps` only. */
export const BuildProgressLine = ProgressLine.extend({
  vertex: BuildStep.optional(),
  vertexLog: z.object({ id: z.int(), stream: z.enum(['stdout', 'stderr']), data: z.string() }).optional(),
  warning: z.string().optional(),
})

export type BuildStep = z.infer<typeof BuildStep>
export type BuildProgressLine = z.infer<typeof BuildProgressLine>
