import * as z from 'zod'
import { filters } from './filters.ts'
import { time } from './parameters.ts'

/** GET /events */
export const SystemEventsQuery = z.object({ since: time(), until: time(), filters })

/** One line of GET /events. `timeNano` lies above 2^53: read as a number its last digits are lost. */
export const EventMessage = z.object({
  Type: z.string(),
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
  scope: z.string(),
  time: z.number(),
  timeNano: z.number(),
  status: z.string().optional(),
  id: z.string().optional(),
  from: z.string().optional(),
})

export type EventMessage = z.infer<typeof EventMessage>
