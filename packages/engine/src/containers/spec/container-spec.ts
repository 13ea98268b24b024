import { availableCapabilities, capabilitySets, checkSysctls, defaultSysctls, resolveCapabilities, type OciNamespace, type OciRlimit, type OciSpec, type ResolvedUser } from '@engine/runtime'
import type { IdMappings } from '@engine/linux/id-mappings'
import type { Container } from '../container.ts'
import { cells } from '../resize.ts'
import { refusedByRuntime } from '../start-error.ts'
import { containerDevices } from './devices.ts'
import { environment } from './environment.ts'
import { checkPropagation, initPath, specMounts, type MountSettings } from './mounts.ts'
import { resources } from './resources.ts'
import { specAppArmor } from './apparmor.ts'
import type { SecurityOptions } from './security-options.ts'

/** What a start has prepared for the spec. */
export interface SpecSettings {
  readonly container: Container
  /** Host path of the mounted root. */
  readonly root: string
  readonly user: ResolvedUser
  readonly security: SecurityOptions
  readonly capabilities: readonly string[]
  readonly rlimits: readonly OciRlimit[]
  /** `/engine/<id>` */
  readonly cgroupsPath: string
  /** As HOSTNAME and in the UTS namespace; another container's in its network. */
  readonly hostname: string
  /** Namespace files to join: the network's, and those of containers whose PID or IPC namespace is shared. */
  readonly namespaces: { readonly network?: string; readonly pid?: string; readonly ipc?: string }
  /** One of the container's own; left out, it is in the host's. */
  readonly userNamespace?: { readonly path: string; readonly mappings: IdMappings } | undefined
  /** Variables that come of links to other containers. */
  readonly links: readonly string[]
  readonly mounts: Omit<MountSettings, 'host' | 'mounts' | 'writableCgroups' | 'propagations' | 'userNamespace'>
}

/** Capabilities of a container. @throws EngineError for names that Linux has not */
export function containerCapabilities(container: Container): string[] {
  const { CapAdd, CapDrop, Privileged } = container.record.hostConfig
  return resolveCapabilities({ capAdd: CapAdd ?? [], capDrop: CapDrop ?? [], privileged: Privileged }, availableCapabilities())
}

/**
 * Puts the OCI runtime spec of a container together from its configuration and what the start has prepared.
 * @throws EngineError in Docker's words for what only shows now: devices, sysctls, propagation
 */
export function containerSpec(settings: SpecSettings): OciSpec {
  const { container, user, security } = settings
  const { config, hostConfig: host } = container.record
  const { devices, rules } = containerDevices(host)
  const namespaces = specNamespaces(settings)
  const ownNetwork = host.NetworkMode !== 'host' && !host.NetworkMode.startsWith('container:')
  const sysctl = { ...(ownNetwork ? defaultSysctls(settings.userNamespace !== undefined) : {}), ...host.Sysctls }
  refusedByRuntime(() => checkSysctls(host.Sysctls ?? {}, namespaces))
  const propagation = checkPropagation(container.record.mounts)
  const [height, width] = cells(host.ConsoleSize)
  const ownUts = host.UTSMode !== 'host'
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: config.Tty,
      ...(height > 0 && width > 0 ? { consoleSize: { height, width } } : {}),
      user: user.user,
      args: host.Init === true ? [initPath, '--', container.record.path, ...container.record.args] : [container.record.path, ...container.record.args],
      env: environment({ given: [...settings.links, ...(config.Env ?? []), ...container.secretEnvironment], hostname: settings.hostname, tty: config.Tty, home: user.home }),
      cwd: config.WorkingDir || '/',
      capabilities: capabilitySets(settings.capabilities),
      rlimits: settings.rlimits,
      noNewPrivileges: security.noNewPrivileges,
      oomScoreAdj: host.OomScoreAdj,
      ...specAppArmor(security, host),
    },
    root: { path: settings.root, readonly: host.ReadonlyRootfs },
    ...(ownUts ? { hostname: settings.hostname, ...(config.Domainname === '' ? {} : { domainname: config.Domainname }) } : {}),
    mounts: specMounts({ ...settings.mounts, userNamespace: settings.userNamespace !== undefined, host, mounts: container.record.mounts, writableCgroups: security.writableCgroups, propagations: propagation.binds }),
    ...(host.Annotations === undefined ? {} : { annotations: host.Annotations }),
    linux: {
      namespaces,
      // runc 1.1 wants to be told them even of a namespace that it joins.
      ...(settings.userNamespace === undefined ? {} : { uidMappings: settings.userNamespace.mappings.uids, gidMappings: settings.userNamespace.mappings.gids }),
      devices,
      cgroupsPath: settings.cgroupsPath,
      resources: resources(host, rules),
      rootfsPropagation: propagation.root,
      maskedPaths: security.systemPathsUnconfined ? [] : (host.MaskedPaths ?? []),
      readonlyPaths: security.systemPathsUnconfined ? [] : (host.ReadonlyPaths ?? []),
      sysctl,
    },
  }
}

/** The container's namespaces: a type that is left out is the host's. */
function specNamespaces({ container, namespaces, userNamespace }: SpecSettings): OciNamespace[] {
  const { hostConfig: host } = container.record
  const joined = (type: 'pid' | 'ipc' | 'network', path: string | undefined): OciNamespace => (path === undefined ? { type } : { type, path })
  return [
    ...(userNamespace === undefined ? [] : [{ type: 'user', path: userNamespace.path } as const]),
    { type: 'mount' },
    ...(host.NetworkMode === 'host' ? [] : [joined('network', namespaces.network)]),
    ...(host.PidMode === 'host' ? [] : [joined('pid', namespaces.pid)]),
    ...(host.IpcMode === 'host' ? [] : [joined('ipc', namespaces.ipc)]),
    ...(host.UTSMode === 'host' ? [] : [{ type: 'uts' } as const]),
    ...(host.CgroupnsMode === 'host' ? [] : [{ type: 'cgroup' } as const]),
  ]
}
