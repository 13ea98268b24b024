import type { Health } from '../health/health.ts'
import type { EngineContext } from '../context.ts'
import type { ContainerInspect, ContainerStateView, HealthView } from '../types/container-views.ts'
import { isContainerMode } from './host-config-check.ts'
import type { HostConfigView } from '../types/container-config.ts'
import type { Container } from './container.ts'
import { shownLinks } from './links.ts'
import { networkSettings } from './network-view.ts'
import { sizes } from './size.ts'
import { appArmorShown } from './spec/apparmor.ts'
import { isRunning, type ContainerState } from './state.ts'
import { NEVER } from '../types/container-views.ts'

/** Everything of a container, as Docker shows it. */
export async function inspectContainer(engine: EngineContext, ref: string, options: { readonly size: boolean }): Promise<ContainerInspect> {
  const container = engine.containers.find(ref)
  const { record } = container
  const size = options.size ? await sizes(engine, container) : undefined
  const paths = engine.paths.container(container.id)
  // The files of /etc come with the first start; those of another container's network are that container's.
  const started = container.state.startedAt !== NEVER
  const files = isContainerMode(record.hostConfig.NetworkMode) ? engine.paths.container(record.hostConfig.NetworkMode.slice('container:'.length)) : paths
  const execs = engine.execs.ofContainer(container.id).filter(({ status }) => status !== 'exited')
  return {
    Id: container.id,
    Created: record.createdAt,
    Path: record.path,
    Args: record.args,
    State: stateView(container.state, container.health),
    Image: record.imageId,
    ResolvConfPath: started ? files.resolvConf : '',
    HostnamePath: started ? files.hostname : '',
    HostsPath: started ? files.hosts : '',
    LogPath: started && record.hostConfig.LogConfig.Type === 'json-file' ? paths.log : '',
    Name: `/${container.name}`,
    RestartCount: container.state.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: appArmorShown(record.hostConfig, started),
    ExecIDs: execs.length === 0 ? null : execs.map(({ id }) => id),
    HostConfig: hostConfigView(engine, container),
    GraphDriver: graphDriver(engine, container),
    ...size,
    Mounts: record.mounts.map(({ point }) => point),
    Config: { ...record.config, ...askedMac(container) },
    NetworkSettings: networkSettings(engine, container),
  }
}

/** Links are kept by id, and shown by names; those on networks of users' own are kept as they came. */
function hostConfigView({ containers }: EngineContext, container: Container): HostConfigView {
  const { hostConfig } = container.record
  return hostConfig.NetworkMode === 'bridge' && hostConfig.Links !== null ? { ...hostConfig, Links: shownLinks(containers, container) } : hostConfig
}

/** The MAC address that was asked for, for the endpoint of its network mode (moby: inspect_linux.go). */
function askedMac({ record }: Container): { readonly MacAddress?: string } {
  const MacAddress = record.endpoints[record.hostConfig.NetworkMode]?.MacAddress
  return MacAddress ? { MacAddress } : {}
}

export function stateView(state: ContainerState, health?: Health): ContainerStateView {
  return {
    Status: state.status,
    Running: isRunning(state),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Dead: state.status === 'dead',
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: state.startedAt,
    FinishedAt: state.finishedAt,
    ...(health === undefined ? {} : { Health: healthView(health) }),
  }
}

function healthView({ status, failingStreak, log }: Health): HealthView {
  return { Status: status, FailingStreak: failingStreak, Log: log.map(({ start, end, exitCode, output }) => ({ Start: start, End: end, ExitCode: exitCode, Output: output })) }
}

function graphDriver(engine: EngineContext, container: Container): ContainerInspect['GraphDriver'] {
  try {
    return { Data: { ID: container.id, ...engine.overlay.graphDriverData(container.id) }, Name: 'overlay2' }
  } catch {
    // A removal that failed has taken the directories.
    return { Data: null, Name: 'overlay2' }
  }
}
