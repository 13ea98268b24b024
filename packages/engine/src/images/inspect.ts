import type { RunConfig } from '@engine/image'
import type { Images } from '../interface.ts'
import { NEVER } from '../types/container-views.ts'
import type { ImageConfigView, ImageInspect } from '../types/image-views.ts'
import { askedPlatform, checkPlatform } from './check-platform.ts'
import type { ImageVerbs } from './image-verbs.ts'
import { imageDescriptor, imageManifests } from './manifests.ts'
import { nameViews } from './names.ts'

/** One image in all its detail. @throws EngineError not-found `No such image: x:latest`, also for another platform than the one asked for */
export async function inspectImage({ containers, store }: Pick<ImageVerbs, 'containers' | 'store'>, ref: string, options: Parameters<Images['inspect']>[1] = {}): Promise<ImageInspect> {
  const image = store.resolve(ref)
  if (options.platform) checkPlatform(ref, image, askedPlatform(options.platform))
  const { id, config, parent, lastTagTime } = image
  const descriptor = imageDescriptor(store, id)
  const manifests = options.manifests ? await imageManifests(store, image, containers.usersOfImage(id).map((container) => container.id)) : []
  const { tags, digests } = nameViews(store.images.names(id))
  const layers = store.layers.ofImage(id)
  const top = layers.at(-1)
  return {
    Id: id,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: parent,
    Comment: config.comment || (config.history?.at(-1)?.comment ?? ''),
    ...(config.created ? { Created: config.created } : {}),
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: configView(config.config ?? {}),
    Architecture: config.architecture,
    ...(config.variant ? { Variant: config.variant } : {}),
    Os: config.os || 'linux',
    ...(config['os.version'] ? { OsVersion: config['os.version'] } : {}),
    Size: layers.reduce((total, { size }) => total + size, 0),
    GraphDriver: { Name: 'overlay2', Data: top === undefined ? null : { ...store.overlay.graphDriverData(top.id) } },
    RootFS: { Type: 'layers', ...(layers.length === 0 ? {} : { Layers: layers.map(({ diffId }) => diffId) }) },
    Metadata: { LastTagTime: lastTagTime || NEVER },
    ...(descriptor === undefined ? {} : { Descriptor: descriptor }),
    ...(manifests.length === 0 ? {} : { Manifests: manifests }),
  }
}

/** Docker answers these eight always, the others when they are set. */
function configView(config: RunConfig): ImageConfigView {
  const { ExposedPorts: ports, Healthcheck: health, Shell: shell } = config
  return {
    Cmd: config.Cmd ?? null,
    Entrypoint: config.Entrypoint ?? null,
    Env: config.Env ?? null,
    Labels: config.Labels ?? null,
    OnBuild: config.OnBuild ?? null,
    User: config.User ?? '',
    Volumes: config.Volumes ?? null,
    WorkingDir: config.WorkingDir ?? '',
    ...(ports && Object.keys(ports).length > 0 ? { ExposedPorts: ports } : {}),
    ...(health ? { Healthcheck: health } : {}),
    ...(config.ArgsEscaped ? { ArgsEscaped: true } : {}),
    ...(config.StopSignal ? { StopSignal: config.StopSignal } : {}),
    ...(shell && shell.length > 0 ? { Shell: shell } : {}),
  }
}
