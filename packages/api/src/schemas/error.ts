import * as z from 'zod'

/** The body of every answer with a status of 400 or more. `hint` is ours: what the user can do about it. */
export const ErrorResponse = z.object({ message: z.string(), hint: z.string().optional() })

export type ErrorResponse = z.infer<typeof ErrorResponse>
