import { applyChanges } from '@engine/build'
import {
  chainId, digestHex, familiarName, fullName, hostPlatform, parseRepositoryTag, writeImageConfig,
  type Digest, type ImageConfig, type Reference, type RunConfig,
} from '@engine/image'
import { EngineError } from '@engine/linux'
import { now, rfc3339 } from '../clock.ts'
import { mergeConfig } from '../containers/config.ts'
import type { Container } from '../containers/container.ts'
import type { Images } from '../interface.ts'
import type { ContainerConfig, ContainerConfigView } from '../types/container-config.ts'
import type { ImageVerbs } from './image-verbs.ts'

/** Digest of a tar with nothing in it; a layer of it is none. */
const emptyTar: Digest = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef'

/** Makes an image of what a container has written. A running one is paused meanwhile, unless that is not wanted. */
export async function commitContainer(verbs: ImageVerbs, ref: string, options: Parameters<Images['commit']>[1]): Promise<{ Id: string }> {
  const { store } = verbs
  const name = options.repository === '' ? undefined : parseRepositoryTag(options.repository, options.tag)
  const container = verbs.containers.find(ref)
  refuseGone(container)
  const given = applyChanges(runConfig(options.config ?? container.record.config), options.changes)
  const config = runConfig(mergeConfig(given, container.record.config, container.id))
  using _held = store.hold(`commit ${container.id}`)
  const make = (): Promise<Digest> => makeImage(verbs, container, config, options, name)
  // As with Docker it goes on when the image is there, and all is told.
  return { Id: options.pause && container.state.status === 'running' ? await verbs.whilePaused(container.id, make) : await make() }
}

async function makeImage(verbs: ImageVerbs, container: Container, config: RunConfig, options: Parameters<Images['commit']>[1], name: Reference | undefined): Promise<Digest> {
  const { store } = verbs
  const parent = store.get(container.record.imageId)
  const diffIds = container.record.layers.map((id) => diffIdOf(verbs, id)).reverse()
  const layer = await store.overlay.createLayer({ snapshot: container.id }, container.record.layers, (diffId) => digestHex(chainId([...diffIds, diffId])))
  const isEmpty = layer.diffId === emptyTar
  const image = writeImageConfig(childConfig(parent?.config, diffIds, container, config, options, isEmpty ? undefined : layer.diffId))
  await store.add(image, parent?.id ?? '', isEmpty ? undefined : layer)
  if (isEmpty) await store.overlay.remove(layer.id)
  store.publish('create', image, image.id)
  if (name !== undefined) await store.tag(image.id, fullName(name))
  verbs.events.publish('container', 'commit', container.id, { ...container.attributes(), comment: options.comment, imageID: image.id, imageRef: shown(name) })
  return image.id
}

function childConfig(
  parent: ImageConfig | undefined,
  diffIds: readonly Digest[],
  container: Container,
  config: RunConfig,
  options: Parameters<Images['commit']>[1],
  diffId: Digest | undefined,
): ImageConfig {
  const created = rfc3339(now())
  const { architecture, os, variant } = parent ?? hostPlatform()
  const author = options.author === '' ? {} : { author: options.author }
  return {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    ...author,
    config,
    container: container.id,
    created,
    history: [
      ...(parent?.history ?? []),
      {
        created,
        created_by: (container.record.config.Cmd ?? []).join(' '),
        ...author,
        ...(options.comment === '' ? {} : { comment: options.comment }),
        ...(diffId === undefined ? { empty_layer: true } : {}),
      },
    ],
    rootfs: { type: 'layers', diff_ids: [...diffIds, ...(diffId === undefined ? [] : [diffId])] },
  }
}

/** The part of a container's configuration that images have, without what is not set. */
function runConfig(config: ContainerConfig | ContainerConfigView): RunConfig {
  const { User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, StopTimeout, Shell, OnBuild, ArgsEscaped, Healthcheck } = config
  const kept = { User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, StopTimeout, Shell, OnBuild, ArgsEscaped, Healthcheck }
  return Object.fromEntries(Object.entries(kept).filter(([, value]) => isSet(value)))
}

function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return false
  return typeof value !== 'object' || Object.keys(value).length > 0
}

function diffIdOf({ store }: ImageVerbs, id: string): Digest {
  const layer = store.layers.get(id)
  if (layer === undefined) throw new EngineError('internal', `layer ${id} is not there`)
  return layer.diffId
}

function refuseGone({ id, state }: Container): void {
  if (state.status === 'dead') throw new EngineError('conflict', `You cannot commit container ${id} which is Dead`)
  if (state.status === 'removing') throw new EngineError('conflict', `You cannot commit container ${id} which is being removed`)
}

function shown(name: Reference | undefined): string {
  return name === undefined ? '' : familiarName(name)
}
