import { readFileSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import { readControl } from './control-file.ts'

/** The kernel controllers that engine sets limits with, by their v2 names; `io` is `blkio` on v1. */
export type Controller = 'cpu' | 'cpuacct' | 'cpuset' | 'memory' | 'io' | 'pids' | 'devices' | 'freezer'

/** One mounted cgroup hierarchy. v1 has several, each with controllers of its own; v2 is one with all. */
export interface Hierarchy {
  readonly version: 1 | 2
  readonly mountpoint: string
  /** As the kernel names them (`blkio`, not `io`, on v1), with `name=systemd` for a v1 hierarchy without controllers. */
  readonly controllers: readonly string[]
}

/** Where a container's limits for one controller are: a directory, and which version's files it has. */
export interface Place {
  readonly version: 1 | 2
  readonly directory: string
}

/** What of a host's cgroups engine uses; hosts may have v1 and v2 side by side (hybrid), each with some of the controllers. */
export class CgroupLayout {
  readonly hierarchies: readonly Hierarchy[]

  constructor(hierarchies: readonly Hierarchy[]) {
    this.hierarchies = hierarchies
  }

  /** 2 when there is only the unified hierarchy, as Docker's `CgroupVersion` says. */
  get version(): 1 | 2 {
    return this.hierarchies.some(({ version }) => version === 1) ? 1 : 2
  }

  /** The hierarchy that has a controller, or undefined when the kernel has it in none. */
  hierarchyOf(controller: Controller): Hierarchy | undefined {
    const v1Name = controller === 'io' ? 'blkio' : controller
    return (
      this.hierarchies.find(({ version, controllers }) => version === 1 && controllers.includes(v1Name)) ??
      this.hierarchies.find(({ version, controllers }) => version === 2 && (builtIn.has(controller) || controllers.includes(controller)))
    )
  }

  /** Where a cgroup's files for a controller are; undefined when the kernel has it in no hierarchy. */
  place(controller: Controller, path: string): Place | undefined {
    const hierarchy = this.hierarchyOf(controller)
    return hierarchy === undefined ? undefined : { version: hierarchy.version, directory: hierarchy.mountpoint + path }
  }

  /** Every directory that makes up a cgroup: one for each hierarchy. */
  directories(path: string): string[] {
    return this.hierarchies.map(({ mountpoint }) => mountpoint + path)
  }
}

/** On v2 these need no controller: cpu.stat is always there, devices are eBPF programs, freezing is part of the core. */
const builtIn: ReadonlySet<Controller> = new Set(['cpuacct', 'devices', 'freezer'])
/** Controllers for whose sake a v2 hierarchy beside v1 is worth joining; see {@link parseLayout}. */
const limiting = ['cpu', 'cpuset', 'memory', 'io', 'pids']

/**
 * Reads the layout from /proc/self/mountinfo's text.
 * A v2 hierarchy beside v1 that has none of the controllers engine sets is left out: joining it would limit nothing, and
 * cost 11 to 15 ms a process where joining all nine v1 hierarchies by `tasks` costs 0.4 ms (measured on Linux 6.18).
 * @param controllersOf the controllers of the v2 hierarchy at a mount point (its cgroup.controllers)
 * @param known         the kernel's v1 controllers (/proc/cgroups), to tell them from mount options
 */
export function parseLayout(mountinfo: string, known: ReadonlySet<string>, controllersOf: (mountpoint: string) => readonly string[]): CgroupLayout {
  const found: Hierarchy[] = []
  const seen = new Set<string>()
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ')
    if (left === undefined || right === undefined) continue
    const fields = left.split(' ')
    const device = fields[2] ?? ''
    const mountpoint = unescapeMountinfo(fields[4] ?? '')
    const [type, , options] = right.split(' ')
    // The first mount of a hierarchy is the host's; later ones of the same device are a container manager's binds.
    if ((type !== 'cgroup' && type !== 'cgroup2') || seen.has(device)) continue
    seen.add(device)
    if (type === 'cgroup2') {
      found.push({ version: 2, mountpoint, controllers: controllersOf(mountpoint) })
      continue
    }
    const controllers = (options ?? '').split(',').filter((option) => known.has(option) || option.startsWith('name='))
    if (controllers.length > 0) found.push({ version: 1, mountpoint, controllers })
  }
  const hybrid = found.some(({ version }) => version === 1)
  return new CgroupLayout(found.filter(({ version, controllers }) => version === 1 || !hybrid || controllers.some((controller) => limiting.includes(controller))))
}

/** mountinfo writes space, tab, line end and backslash as octal; see proc_pid_mountinfo(5). */
function unescapeMountinfo(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}

let detected: CgroupLayout | undefined

/** The host's layout, read once: mounted controllers are pinned while anything uses them. */
export function cgroupLayout(): CgroupLayout {
  if (detected !== undefined) return detected
  const known = new Set<string>()
  // Some kernels are built without v1, and then without /proc/cgroups.
  for (const line of readControl('/proc/cgroups')?.split('\n') ?? []) known.add(line.split('\t')[0] ?? '')
  const layout = parseLayout(readFileSync('/proc/self/mountinfo', 'utf8'), known, (mountpoint) =>
    (readControl(`${mountpoint}/cgroup.controllers`) ?? '').split(' ').filter((name) => name !== ''),
  )
  if (layout.hierarchies.length === 0) {
    throw new EngineError('unavailable', 'no cgroup file system is mounted', { hint: 'mount one: mount -t cgroup2 none /sys/fs/cgroup' })
  }
  detected = layout
  return layout
}

/** Works with another layout than the host's; for tests on a tree of plain files. Returns what undoes it. */
export function useLayout(layout: CgroupLayout): Disposable {
  const before = detected
  detected = layout
  return { [Symbol.dispose]: () => void (detected = before) }
}

/** Docker's `CgroupVersion`: 2 when the host has only the unified hierarchy. */
export function cgroupVersion(): 1 | 2 {
  return cgroupLayout().version
}

/**
 * Refuses what is no path of a cgroup below a hierarchy's root: `/engine/<id>`.
 * @throws EngineError invalid-argument
 */
export function refuseUnlessGroupPath(path: string): void {
  const components = path.split('/').slice(1)
  const plain = components.every((component) => component !== '' && component !== '.' && component !== '..' && !/[\0\n]/.test(component))
  if (!path.startsWith('/') || !plain) throw new EngineError('invalid-argument', `invalid cgroup path: ${JSON.stringify(path)}`)
}
