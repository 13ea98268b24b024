import * as z from 'zod'
import type { OperationId } from './routes.ts'
import { ContainerChanges } from './schemas/archive.ts'
import { BuildProgressLine } from './schemas/build-views.ts'
import * as containers from './schemas/container-views.ts'
import * as stats from './schemas/container-stats.ts'
import { EventMessage } from './schemas/event.ts'
import * as images from './schemas/image-views.ts'
import { Network } from './schemas/network-views.ts'
import { SystemInfo, SystemVersion } from './schemas/system.ts'
import { Volume, VolumeListResponse, VolumePruneResponse } from './schemas/volume-views.ts'

/**
 * What each operation answers with in JSON (one line of it, where it streams). For the description of the API and for tests: answers
 * are not checked while the daemon runs, so that it need not hold these schemas in memory.
 */
export const responses: Readonly<Partial<Record<OperationId, z.ZodType>>> = {
  ContainerList: z.array(containers.ContainerSummary),
  ContainerCreate: containers.ContainerCreateResponse,
  ContainerInspect: containers.ContainerInspectResponse,
  ContainerUpdate: containers.ContainerUpdateResponse,
  ContainerStats: stats.ContainerStatsResponse,
  ContainerTop: containers.ContainerTopResponse,
  ContainerWait: containers.ContainerWaitResponse,
  ContainerPrune: containers.ContainerPruneResponse,
  ContainerChanges,
  ContainerExplain: z.array(containers.LedgerEntry),
  ContainerExec: containers.IdResponse,
  ExecInspect: containers.ExecInspectResponse,
  ImageList: z.array(images.ImageSummary),
  ImageInspect: images.ImageInspectResponse,
  ImageHistory: z.array(images.ImageHistoryResponseItem),
  ImageDelete: z.array(images.ImageDeleteResponseItem),
  ImagePrune: images.ImagePruneResponse,
  ImageCreate: images.ProgressLine,
  ImageBuild: BuildProgressLine,
  BuildPrune: images.BuildPruneResponse,
  BuildInputs: containers.IdResponse,
  BuildContexts: z.object({ Id: z.string(), Need: z.array(z.number()) }),
  ImageCommit: containers.IdResponse,
  NetworkList: z.array(Network),
  NetworkInspect: Network,
  VolumeList: VolumeListResponse,
  VolumeInspect: Volume,
  VolumeCreate: Volume,
  VolumePrune: VolumePruneResponse,
  VolumeRename: Volume,
  VolumeClone: Volume,
  PluginList: z.array(z.looseObject({})),
  SystemVersion,
  SystemInfo,
  SystemEvents: EventMessage,
}
