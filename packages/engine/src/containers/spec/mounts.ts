import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { defaultMounts, type OciMount } from '@engine/runtime'
import type { HostConfigView } from '../../types/container-config.ts'
import { cleanPath } from '../config.ts'
import { tmpfsOptions, type ContainerMount } from '../mount-parse.ts'
import { inInit, refusal } from '../start-error.ts'

export interface MountSettings {
  readonly host: HostConfigView
  readonly mounts: readonly ContainerMount[]
  /** Host path of each volume's or subpath's directory where it is not the mount's Source, by destination. */
  readonly sources: ReadonlyMap<string, string>
  /** How each bind propagates, by destination; see {@link checkPropagation}. */
  readonly propagations: ReadonlyMap<string, string>
  /** Host paths of the files that engine writes; a container without a network namespace of its own shares another's. */
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string }
  /** A tmpfs on the host, for an IPC namespace that can be shared. */
  readonly shmPath?: string
  readonly writableCgroups: boolean
  /** The container has a user namespace of its own. */
  readonly userNamespace: boolean
  /** Host path of the program that `--init` puts before the container's own. */
  readonly init?: string
}

export const initPath = '/sbin/docker-init'

/**
 * Everything that is mounted in a container, in order: Docker's own, then the /etc files and the user's from the root down, so that
 * none covers another: with a volume at /etc, Docker's files are in it. What a user mounts takes the place of what would be there by default.
 */
export function specMounts(settings: MountSettings): OciMount[] {
  const { host } = settings
  const user = [...userMounts(settings), ...tmpfsMounts(host)]
  refuseProc(user)
  const taken = new Set(user.map(({ destination }) => destination))
  const own = defaultMounts({
    ipc: ipcKind(host.IpcMode),
    shmSize: host.ShmSize,
    ...(settings.shmPath === undefined ? {} : { shmPath: settings.shmPath }),
    privileged: host.Privileged,
    hostNetwork: host.NetworkMode === 'host',
    userNamespace: settings.userNamespace,
  })
    .filter(({ destination }) => !taken.has(destination) && !(taken.has('/dev') && destination.startsWith('/dev/')))
    .map((mount) => (mount.type === 'cgroup' && settings.writableCgroups ? { ...mount, options: mount.options.filter((word) => word !== 'ro') } : mount))
    .map((mount) => (host.ReadonlyRootfs ? readOnlyBelowRoot(mount) : mount))
  const files = fileMounts(settings).filter(({ destination }) => !taken.has(destination))
  return [...own, ...[...files, ...initMount(settings.init), ...user].sort(fromRootDown)]
}

/** Nothing may take the place of procfs, which the security of a container rests on (CVE-2019-16884). */
function refuseProc(mounts: readonly OciMount[]): void {
  const found = mounts.find(({ destination }) => destination === '/proc')
  if (found === undefined) return
  const text = `error mounting ${JSON.stringify(found.source)} to rootfs at "/proc": create mountpoint for /proc mount: check proc-safety of /proc mount: "/proc" cannot be mounted because it is not of type proc`
  throw new EngineError('internal', refusal(inInit + text))
}

export function ipcKind(mode: string): 'private' | 'shareable' | 'none' | 'host' | 'container' {
  return mode.startsWith('container:') ? 'container' : (mode as 'private' | 'shareable' | 'none' | 'host')
}

const depth = (path: string): number => path.split('/').length

function fromRootDown(a: OciMount, b: OciMount): number {
  return depth(a.destination) - depth(b.destination) || (a.destination < b.destination ? -1 : 1)
}

/** File systems of the process's own that stay writable under a read-only root. */
const writable = new Set(['/proc', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue'])

function readOnlyBelowRoot(mount: OciMount): OciMount {
  return writable.has(mount.destination) || mount.options.includes('ro') ? mount : { ...mount, options: [...mount.options, 'ro'] }
}

function fileMounts({ host, files }: MountSettings): OciMount[] {
  const options = ['bind', 'rprivate', ...(host.ReadonlyRootfs ? ['ro'] : [])]
  return [
    { destination: '/etc/resolv.conf', type: 'bind', source: files.resolvConf, options },
    { destination: '/etc/hostname', type: 'bind', source: files.hostname, options },
    { destination: '/etc/hosts', type: 'bind', source: files.hosts, options },
  ]
}

function initMount(path: string | undefined): OciMount[] {
  return path === undefined ? [] : [{ destination: initPath, type: 'bind', source: path, options: ['bind', 'ro', 'rprivate'] }]
}

function userMounts({ mounts, sources, propagations }: MountSettings): OciMount[] {
  return mounts.map((mount): OciMount => {
    const { point } = mount
    if (mount.tmpfs !== undefined) return { destination: point.Destination, type: 'tmpfs', source: 'tmpfs', options: mount.tmpfs }
    const readOnly = point.RW ? [] : mount.readOnlyNonRecursive === true ? ['ro'] : ['ro', 'rro']
    return {
      destination: point.Destination,
      type: 'bind',
      source: sources.get(point.Destination) ?? point.Source,
      options: [mount.nonRecursive === true ? 'bind' : 'rbind', ...readOnly, propagations.get(point.Destination) ?? 'rprivate'],
    }
  })
}

function tmpfsMounts(host: HostConfigView): OciMount[] {
  return Object.entries(host.Tmpfs ?? {}).map(([path, options]) => ({ destination: cleanPath(path), type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(options) }))
}

/** One line of proc_pid_mountinfo(5): where, and whether mounts spread from and to it. */
interface HostMount {
  readonly path: string
  readonly shared: boolean
  readonly slave: boolean
}

export interface Propagations {
  /** How the container's root must propagate, so that its binds can. */
  readonly root: 'rprivate' | 'rslave' | 'rshared'
  /** By destination; a mount that is not named is private. */
  readonly binds: ReadonlyMap<string, string>
}

/**
 * Works out how binds propagate, by what the host's mounts under their sources allow.
 * @throws EngineError in Docker's words for a propagation that was asked for and cannot be had
 */
export function checkPropagation(mounts: readonly ContainerMount[], mountinfo: () => string = () => readFileSync('/proc/self/mountinfo', 'utf8')): Propagations {
  const wanted = mounts.filter(({ point }) => point.Type === 'bind' && !point.Propagation.endsWith('private'))
  const binds = new Map(mounts.filter(({ point }) => point.Type === 'bind').map(({ point }) => [point.Destination, point.Propagation]))
  if (wanted.length === 0) return { root: 'rprivate', binds }
  const table = parseMountinfo(mountinfo())
  let root = 'rprivate' as Propagations['root']
  for (const { point, propagationUnasked } of wanted) {
    const holder = table.filter(({ path }) => path === '/' || point.Source === path || point.Source.startsWith(`${path}/`)).reduce((a, b) => (b.path.length >= a.path.length ? b : a))
    const needsShared = point.Propagation.endsWith('shared')
    if (holder.shared || (!needsShared && holder.slave)) {
      root = needsShared || root === 'rshared' ? 'rshared' : 'rslave'
    } else if (propagationUnasked === true) {
      binds.set(point.Destination, 'rprivate')
    } else {
      throw new EngineError('internal', `path ${point.Source} is mounted on ${holder.path} but it is not a ${needsShared ? 'shared' : 'shared or slave'} mount`)
    }
  }
  return { root, binds }
}

function parseMountinfo(text: string): HostMount[] {
  return text.split('\n').flatMap((line) => {
    const fields = line.split(' - ')[0]?.split(' ') ?? []
    const path = fields[4]
    if (path === undefined) return []
    const optional = fields.slice(6)
    return [{
      path: path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
      shared: optional.some((field) => field.startsWith('shared:')),
      slave: optional.some((field) => field.startsWith('master:')),
    }]
  })
}
