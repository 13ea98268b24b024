import { existsSync } from 'node:fs'
import type { OciDevice, OciDeviceRule } from './spec.ts'

/** The device nodes that every container has. /dev/console is bound to the terminal, /dev/ptmx links to pts/ptmx. */
export const defaultDevices: readonly OciDevice[] = (
  [
    ['null', 1, 3],
    ['zero', 1, 5],
    ['full', 1, 7],
    ['random', 1, 8],
    ['urandom', 1, 9],
    ['tty', 5, 0],
  ] as const
).map(([name, major, minor]) => ({ path: `/dev/${name}`, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 }))

/** Symbolic links in /dev, as [path, target]. */
export function defaultDeviceLinks(): readonly (readonly [path: string, target: string])[] {
  return [
    ['/dev/fd', '/proc/self/fd'],
    ['/dev/stdin', '/proc/self/fd/0'],
    ['/dev/stdout', '/proc/self/fd/1'],
    ['/dev/stderr', '/proc/self/fd/2'],
    ['/dev/ptmx', 'pts/ptmx'],
    // Only kernels that offer it; it is masked, and there because runc makes it.
    ...(existsSync('/proc/kcore') ? ([['/dev/core', '/proc/kcore']] as const) : []),
  ]
}

/**
 * Rules for devices of a container that is not privileged: nodes of any number may be made, and these few opened.
 * The same list a Docker container has in devices.list. User's devices and rules come behind it.
 */
export const defaultDeviceRules: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...defaultDevices.map(({ major, minor }): OciDeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  // /dev/console, /dev/ptmx, terminals under /dev/pts, and /dev/net/tun.
  { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
  { allow: true, type: 'c', major: 10, minor: 200, access: 'rwm' },
]

/** Rules of a privileged container: everything. */
export const privilegedDeviceRules: readonly OciDeviceRule[] = [{ allow: true, type: 'a', access: 'rwm' }]
