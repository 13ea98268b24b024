import { addAbortSignal } from 'node:stream'
import { isAtLeast } from '@engine/api'
import { EngineError } from '@engine/linux'
import { bodyStream } from '../body-stream.ts'
import { SENT, type Call, type Handlers } from '../call.ts'

/** Serves /volumes. */
export const volumes: Handlers<
  'VolumeList' | 'VolumeInspect' | 'VolumeCreate' | 'VolumeDelete' | 'VolumePrune' | 'VolumeRename' | 'VolumeClone' | 'VolumeExport' | 'VolumeImport'
> = {
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

  VolumePrune({ engine, query, version }) {
    // Before 1.42 volumes with names of their own were pruned too.
    const filters = isAtLeast(version, '1.42') ? query.filters : new Map([...query.filters, ['all', ['true']]])
    return engine.volumes.prune(filters)
  },

  VolumeRename: ({ engine, name, query }) => engine.volumes.rename(name, query.name),
  VolumeClone: ({ engine, name, body }) => engine.volumes.clone(name, body.Name, body.Labels ?? {}),
  VolumeExport: exportVolume,

  async VolumeImport({ engine, name, request, signal }) {
    const body = bodyStream(request)
    try {
      await engine.volumes.write(name, body, signal)
    } finally {
      body.destroy()
    }
  },
}

async function exportVolume(call: Call<'VolumeExport'>): Promise<unknown> {
  const tar = addAbortSignal(call.signal, await call.engine.volumes.read(call.name))
  const stream = call.stream({ 'Content-Type': 'application/x-tar' })
  try {
    for await (const chunk of tar) await stream.write(chunk as Buffer)
  } finally {
    tar.destroy()
  }
  stream.end()
  return SENT
}
