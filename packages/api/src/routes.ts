import type * as z from 'zod'
import { AuthConfig } from './registry-auth.ts'
import * as archive from './schemas/archive.ts'
import { BuildContextsBody, BuildInputsBody, BuildInputsQuery, BuildPruneQuery, ImageBuildQuery } from './schemas/build.ts'
import * as container from './schemas/container.ts'
import { ContainerConfig } from './schemas/container-config.ts'
import { SystemEventsQuery } from './schemas/event.ts'
import * as exec from './schemas/exec.ts'
import * as image from './schemas/image.ts'
import * as network from './schemas/network.ts'
import { PluginListQuery } from './schemas/plugin.ts'
import { SystemDataUsageQuery } from './schemas/system.ts'
import * as volume from './schemas/volume.ts'

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'

/** One operation of the API. */
export interface Route {
  readonly method: Method
  /** `{name}` may hold slashes (image references do). No version. */
  readonly path: string
  readonly query?: z.ZodObject
  /** A JSON body. */
  readonly body?: z.ZodType
  /** The body must be there. */
  readonly bodyRequired?: true
  /** Status of success. */
  readonly status: 200 | 201 | 204
}

/** Every operation that the daemon serves, by the contract's operationId (v1.51.yaml). `ContainerExplain` and `OpenApi` are ours. */
export const routes = {
  ContainerList: { method: 'GET', path: '/containers/json', query: container.ContainerListQuery, status: 200 },
  ContainerCreate: {
    method: 'POST',
    path: '/containers/create',
    query: container.ContainerCreateQuery,
    body: container.ContainerCreateBody,
    bodyRequired: true,
    status: 201,
  },
  ContainerInspect: { method: 'GET', path: '/containers/{name}/json', query: container.ContainerInspectQuery, status: 200 },
  ContainerTop: { method: 'GET', path: '/containers/{name}/top', query: container.ContainerTopQuery, status: 200 },
  ContainerUpdate: { method: 'POST', path: '/containers/{name}/update', body: container.ContainerUpdateBody, status: 200 },
  ContainerStats: { method: 'GET', path: '/containers/{name}/stats', query: container.ContainerStatsQuery, status: 200 },
  ContainerLogs: { method: 'GET', path: '/containers/{name}/logs', query: container.ContainerLogsQuery, status: 200 },
  ContainerResize: { method: 'POST', path: '/containers/{name}/resize', query: container.ResizeQuery, status: 200 },
  ContainerStart: { method: 'POST', path: '/containers/{name}/start', query: container.ContainerStartQuery, status: 204 },
  ContainerStop: { method: 'POST', path: '/containers/{name}/stop', query: container.ContainerStopQuery, status: 204 },
  ContainerRestart: { method: 'POST', path: '/containers/{name}/restart', query: container.ContainerStopQuery, status: 204 },
  ContainerKill: { method: 'POST', path: '/containers/{name}/kill', query: container.ContainerKillQuery, status: 204 },
  ContainerRename: { method: 'POST', path: '/containers/{name}/rename', query: container.ContainerRenameQuery, status: 204 },
  ContainerPause: { method: 'POST', path: '/containers/{name}/pause', status: 204 },
  ContainerUnpause: { method: 'POST', path: '/containers/{name}/unpause', status: 204 },
  ContainerAttach: { method: 'POST', path: '/containers/{name}/attach', query: container.ContainerAttachQuery, status: 200 },
  ContainerAttachWebsocket: { method: 'GET', path: '/containers/{name}/attach/ws', query: container.ContainerAttachQuery, status: 200 },
  ContainerWait: { method: 'POST', path: '/containers/{name}/wait', query: container.ContainerWaitQuery, status: 200 },
  ContainerDelete: { method: 'DELETE', path: '/containers/{name}', query: container.ContainerDeleteQuery, status: 204 },
  ContainerPrune: { method: 'POST', path: '/containers/prune', query: container.PruneQuery, status: 200 },
  ContainerArchiveInfo: { method: 'HEAD', path: '/containers/{name}/archive', query: archive.ArchiveQuery, status: 200 },
  ContainerArchive: { method: 'GET', path: '/containers/{name}/archive', query: archive.ArchiveQuery, status: 200 },
  PutContainerArchive: { method: 'PUT', path: '/containers/{name}/archive', query: archive.PutArchiveQuery, status: 200 },
  ContainerChanges: { method: 'GET', path: '/containers/{name}/changes', status: 200 },
  ContainerExport: { method: 'GET', path: '/containers/{name}/export', status: 200 },
  ContainerExplain: { method: 'GET', path: '/containers/{name}/explain', status: 200 },
  ContainerExec: { method: 'POST', path: '/containers/{name}/exec', body: exec.ContainerExecBody, status: 201 },
  ExecStart: { method: 'POST', path: '/exec/{name}/start', body: exec.ExecStartBody, status: 200 },
  ExecResize: { method: 'POST', path: '/exec/{name}/resize', query: container.ResizeQuery, status: 200 },
  ExecInspect: { method: 'GET', path: '/exec/{name}/json', status: 200 },
  ImageList: { method: 'GET', path: '/images/json', query: image.ImageListQuery, status: 200 },
  ImageInspect: { method: 'GET', path: '/images/{name}/json', query: image.ImageInspectQuery, status: 200 },
  ImageHistory: { method: 'GET', path: '/images/{name}/history', query: image.ImageHistoryQuery, status: 200 },
  ImageGet: { method: 'GET', path: '/images/{name}/get', query: image.ImageGetQuery, status: 200 },
  ImageGetAll: { method: 'GET', path: '/images/get', query: image.ImageGetAllQuery, status: 200 },
  ImageLoad: { method: 'POST', path: '/images/load', query: image.ImageLoadQuery, status: 200 },
  ImageTag: { method: 'POST', path: '/images/{name}/tag', query: image.ImageTagQuery, status: 201 },
  ImageDelete: { method: 'DELETE', path: '/images/{name}', query: image.ImageDeleteQuery, status: 200 },
  ImagePrune: { method: 'POST', path: '/images/prune', query: container.PruneQuery, status: 200 },
  ImageCreate: { method: 'POST', path: '/images/create', query: image.ImageCreateQuery, status: 200 },
  ImagePush: { method: 'POST', path: '/images/{name}/push', query: image.ImagePushQuery, status: 200 },
  ImageSearch: { method: 'GET', path: '/images/search', query: image.ImageSearchQuery, status: 200 },
  DistributionInspect: { method: 'GET', path: '/distribution/{name}/json', status: 200 },
  SystemAuth: { method: 'POST', path: '/auth', body: AuthConfig, status: 200 },
  ImageBuild: { method: 'POST', path: '/build', query: ImageBuildQuery, status: 200 },
  BuildPrune: { method: 'POST', path: '/build/prune', query: BuildPruneQuery, status: 200 },
  BuildInputs: { method: 'POST', path: '/build/inputs', body: BuildInputsBody, bodyRequired: true, status: 201 },
  BuildContexts: { method: 'POST', path: '/build/contexts', body: BuildContextsBody, bodyRequired: true, status: 201 },
  BuildFiles: { method: 'GET', path: '/build/files/{name}', status: 200 },
  BuildInputsContext: { method: 'PUT', path: '/build/inputs/{name}', query: BuildInputsQuery, status: 204 },
  ImageCommit: { method: 'POST', path: '/commit', query: image.ImageCommitQuery, body: ContainerConfig.nullable(), status: 201 },
  NetworkList: { method: 'GET', path: '/networks', query: network.NetworkListQuery, status: 200 },
  NetworkInspect: { method: 'GET', path: '/networks/{name}', query: network.NetworkInspectQuery, status: 200 },
  NetworkCreate: { method: 'POST', path: '/networks/create', body: network.NetworkCreateBody, bodyRequired: true, status: 201 },
  NetworkDelete: { method: 'DELETE', path: '/networks/{name}', status: 204 },
  NetworkConnect: { method: 'POST', path: '/networks/{name}/connect', body: network.NetworkConnectBody, bodyRequired: true, status: 200 },
  NetworkDisconnect: { method: 'POST', path: '/networks/{name}/disconnect', body: network.NetworkDisconnectBody, bodyRequired: true, status: 200 },
  NetworkPrune: { method: 'POST', path: '/networks/prune', query: container.PruneQuery, status: 200 },
  NetTrace: { method: 'GET', path: '/net/trace', query: network.NetTraceQuery, status: 200 },
  VolumeList: { method: 'GET', path: '/volumes', query: volume.VolumeListQuery, status: 200 },
  VolumeInspect: { method: 'GET', path: '/volumes/{name}', status: 200 },
  VolumeCreate: { method: 'POST', path: '/volumes/create', body: volume.VolumeCreateBody, status: 201 },
  VolumeDelete: { method: 'DELETE', path: '/volumes/{name}', query: volume.VolumeDeleteQuery, status: 204 },
  VolumePrune: { method: 'POST', path: '/volumes/prune', query: container.PruneQuery, status: 200 },
  VolumeRename: { method: 'POST', path: '/volumes/{name}/rename', query: volume.VolumeRenameQuery, status: 200 },
  VolumeClone: { method: 'POST', path: '/volumes/{name}/clone', body: volume.VolumeCloneBody, bodyRequired: true, status: 201 },
  VolumeExport: { method: 'GET', path: '/volumes/{name}/archive', status: 200 },
  VolumeImport: { method: 'PUT', path: '/volumes/{name}/archive', status: 200 },
  PluginList: { method: 'GET', path: '/plugins', query: PluginListQuery, status: 200 },
  SystemPing: { method: 'GET', path: '/_ping', status: 200 },
  SystemPingHead: { method: 'HEAD', path: '/_ping', status: 200 },
  SystemVersion: { method: 'GET', path: '/version', status: 200 },
  SystemInfo: { method: 'GET', path: '/info', status: 200 },
  OpenApi: { method: 'GET', path: '/openapi.json', status: 200 },
  SystemDataUsage: { method: 'GET', path: '/system/df', query: SystemDataUsageQuery, status: 200 },
  SystemEvents: { method: 'GET', path: '/events', query: SystemEventsQuery, status: 200 },
} as const satisfies Readonly<Record<string, Route>>

export type Routes = typeof routes
export type OperationId = keyof Routes
