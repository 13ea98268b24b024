import * as z from 'zod'
import { filters } from './filters.ts'
import { goTypes, text, textMap } from './go-json.ts'
import { bool, word } from './parameters.ts'

/** GET /volumes */
export const VolumeListQuery = z.object({ filters })

/** POST /volumes/create; ClusterVolumeSpec is for swarm's volumes, which there are none of. */
export const VolumeCreateBody = z.object({ Name: text, Driver: text, DriverOpts: textMap, Labels: textMap, ClusterVolumeSpec: z.looseObject({}).nullish() }).register(goTypes, { type: 'volume.CreateOptions' })

/** POST /volumes/{name}/rename */
export const VolumeRenameQuery = z.object({ name: word })

/** POST /volumes/{name}/clone */
export const VolumeCloneBody = z.object({ Name: z.string(), Labels: textMap })

/** DELETE /volumes/{name} */
export const VolumeDeleteQuery = z.object({ force: bool() })

export type VolumeCreateBody = z.infer<typeof VolumeCreateBody>
