import * as z from 'zod'
import { bool } from './parameters.ts'

/** A path in a container; Docker's text for none has no space. */
const path = z.string().default('').transform((value, context) => {
  if (value !== '') return value
  context.addIssue({ code: 'custom', message: 'bad parameter: pathcannot be empty' })
  return z.NEVER
})

/** HEAD and GET /containers/{id}/archive */
export const ArchiveQuery = z.object({ path })

/** PUT /containers/{id}/archive */
export const PutArchiveQuery = z.object({ path, noOverwriteDirNonDir: bool(), copyUIDGID: bool() })

/** The header X-Docker-Container-Path-Stat, base64 of JSON. `mode` has the bits of Go's FileMode. */
export const PathStat = z.object({ name: z.string(), size: z.number(), mode: z.number(), mtime: z.string(), linkTarget: z.string() })

/** GET /containers/{id}/changes */
export const ContainerChanges = z.array(z.object({ Path: z.string(), Kind: z.number() })).nullable()

export type PathStat = z.infer<typeof PathStat>
