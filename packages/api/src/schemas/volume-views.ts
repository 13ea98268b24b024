import * as z from 'zod'

const map = z.record(z.string(), z.string())

/** GET /volumes/{name}, POST /volumes/create, and one of GET /volumes */
export const Volume = z.object({
  Name: z.string(),
  Driver: z.string(),
  Mountpoint: z.string(),
  CreatedAt: z.string().optional(),
  Labels: map.nullable(),
  Scope: z.string(),
  Options: map.nullable(),
})

/** GET /volumes */
export const VolumeListResponse = z.object({ Volumes: z.array(Volume).nullable(), Warnings: z.array(z.string()).nullable() })

/** POST /volumes/prune */
export const VolumePruneResponse = z.object({ VolumesDeleted: z.array(z.string()).nullable(), SpaceReclaimed: z.number() })

export type Volume = z.infer<typeof Volume>
export type VolumeListResponse = z.infer<typeof VolumeListResponse>
