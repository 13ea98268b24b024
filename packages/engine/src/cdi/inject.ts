import { statSync } from 'node:fs'
import { EngineError } from '@engine/linux'
import type { OciDevice, OciDeviceRule, OciMount, OciSpec } from '@engine/runtime'
import { splitDevice } from '../containers/spec/resources.ts'
import type { DeviceRequest } from '../types/container-config.ts'
import { readCdiDevices, type CdiDeviceNode, type CdiEdits } from './spec-files.ts'

/** Where Docker looks. */
export const defaultCdiSpecDirs: readonly string[] = ['/etc/cdi', '/var/run/cdi']

/** A request for devices by their names in the Container Device Interface. */
export function isCdiRequest({ Driver }: DeviceRequest): boolean {
  return Driver === 'cdi'
}

/**
 * Puts the devices that are asked for by name into a spec: nodes with their cgroup rules, mounts, environment, groups.
 * @param directories where the host's spec files are
 * @throws EngineError in Docker's words for a device that nobody describes, and for one that needs hooks: programs that a runtime runs as root
 */
export async function injectCdi(spec: OciSpec, requests: readonly DeviceRequest[], directories: readonly string[]): Promise<OciSpec> {
  const wanted = [...new Set(requests.filter(isCdiRequest).flatMap(({ DeviceIDs }) => DeviceIDs ?? []))]
  if (wanted.length === 0) return spec
  const { devices, failures } = await readCdiDevices(directories)
  const missing = wanted.filter((name) => !devices.has(name))
  if (missing.length > 0) {
    throw failed(`unresolvable CDI devices ${missing.join(', ')}`, failures.length > 0 ? `not read: ${failures.join('; ')}` : `looked for in ${directories.join(', ')}`)
  }
  const hooked = wanted.find((name) => devices.get(name)?.some(({ hooks }) => hooks.length > 0))
  if (hooked !== undefined) throw failed(`device ${hooked} needs hooks, which engine does not run`, 'take the hooks out of its spec file if the device works without them')
  // What all devices of a kind have in common is done once.
  return [...new Set(wanted.flatMap((name) => devices.get(name) ?? []))].reduce(edited, spec)
}

function edited(spec: OciSpec, { env, deviceNodes, mounts, additionalGids }: CdiEdits): OciSpec {
  const nodes = deviceNodes.map(deviceOf)
  const { process, linux } = spec
  const paths = new Set(nodes.map(({ device }) => device.path))
  return {
    ...spec,
    process: { ...process, env: [...process.env, ...env], user: { ...process.user, additionalGids: [...new Set([...process.user.additionalGids, ...additionalGids])] } },
    mounts: [...spec.mounts, ...mounts.map(({ hostPath, containerPath, options = [] }): OciMount => ({
      destination: containerPath, type: 'bind', source: hostPath, options: options.some((word) => word === 'bind' || word === 'rbind') ? options : ['bind', ...options],
    }))],
    linux: {
      ...linux,
      devices: [...linux.devices.filter(({ path }) => !paths.has(path)), ...nodes.map(({ device }) => device)],
      resources: { ...linux.resources, devices: [...(linux.resources.devices ?? []), ...nodes.flatMap(({ rules }) => rules)] },
    },
  }
}

/** What the file leaves open is the host's device's. */
function deviceOf(node: CdiDeviceNode): { readonly device: OciDevice; readonly rules: readonly OciDeviceRule[] } {
  const source = node.hostPath ?? node.path
  const stat = statSync(source, { throwIfNoEntry: false })
  const type = node.type || (stat?.isBlockDevice() === true ? 'b' : stat?.isCharacterDevice() === true ? 'c' : stat?.isFIFO() === true ? 'p' : undefined)
  if (type === undefined) throw failed(`failed to stat CDI host device ${JSON.stringify(source)}: no such device`)
  const { major, minor } = node.major === undefined && stat !== undefined ? splitDevice(stat.rdev) : { major: node.major ?? 0, minor: node.minor ?? 0 }
  const fileMode = node.fileMode ?? (stat === undefined ? undefined : stat.mode & 0o7777)
  const device: OciDevice = {
    path: node.path, type, major, minor,
    ...(fileMode === undefined ? {} : { fileMode }), uid: node.uid ?? stat?.uid ?? 0, gid: node.gid ?? stat?.gid ?? 0,
  }
  if (type === 'p') return { device, rules: [] }
  return { device, rules: [{ allow: true, type: type === 'b' ? 'b' : 'c', major, minor, access: node.permissions || 'rwm' }] }
}

function failed(reason: string, hint?: string): EngineError {
  return new EngineError('invalid-argument', `CDI device injection failed: ${reason}`, { hint })
}
