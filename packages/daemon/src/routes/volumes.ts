import { EngineError } from '@engine/linux'
import type { Handlers } from '../call.ts'

/** Serves /volumes. */
export const volumes: Handlers<'VolumeList' | 'VolumeInspect' | 'VolumeCreate' | 'VolumeDelete'> = {
  VolumeList: ({ engine, query }) => engine.volumes.list(query.filters),
  VolumeInspect: ({ engine, name }) => engine.volumes.inspect(name),

  async VolumeCreate({ engine, body }) {
    if (body?.ClusterVolumeSpec) throw new EngineError('unavailable', 'swarm is not active: cluster volumes cannot be made')
    return engine.volumes.create({
      Name: body?.Name ?? '',
      Driver: body?.Driver || 'local',
      DriverOpts: body?.DriverOpts ?? {},
      Labels: body?.Labels ?? {},
    })
  },

  async VolumeDelete({ engine, name, query }) {
    await engine.volumes.remove(name, query.force)
  },
}
