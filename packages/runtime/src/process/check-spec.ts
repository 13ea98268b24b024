import { EngineError } from '@engine/linux'
import { hasAppArmor } from '../apparmor.ts'
import type { OciProcess, OciSpec } from '../spec.ts'
import { checkSysctls } from '../sysctl.ts'

/**
 * Refuses a spec that would not make a container, or would change the host: the checks that runc's validator makes, for whoever
 * calls this package. Nothing here needs root.
 * @throws EngineError invalid-argument, or not-implemented for what is out of reach
 */
export function refuseUnlessRunnable(spec: OciSpec): void {
  const { namespaces, sysctl } = spec.linux
  const seen = new Set<string>()
  for (const { type, path } of namespaces) {
    if (seen.has(type)) throw refused(`malformed spec file: duplicated ns {${type} ${path ?? ''}}`)
    seen.add(type)
    if (type === 'mount' && path !== undefined) throw new EngineError('not-implemented', 'joining a mount namespace is not supported')
  }
  checkMappings(spec.linux)
  // Without one of its own everything would be mounted on the host.
  if (!seen.has('mount')) throw refused('a container needs a mount namespace of its own')
  if ((spec.hostname ?? spec.domainname) !== undefined && !seen.has('uts')) throw refused('unable to set hostname without a private UTS namespace')
  if (sysctl !== undefined) checkSysctls(sysctl, namespaces)
  refuseUnlessPath('root', spec.root.path)
  for (const { destination } of spec.mounts) refuseUnlessPath('mount destination', destination)
  for (const { path } of spec.linux.devices) refuseUnlessPath('device', path)
  for (const path of [...spec.linux.maskedPaths, ...spec.linux.readonlyPaths]) refuseUnlessPath('masked or read-only path', path)
  refuseUnlessExecutable(spec.process)
}

/** The kernel judges the mappings themselves; here is what it cannot know. runc's words. */
function checkMappings({ namespaces, uidMappings = [], gidMappings = [] }: OciSpec['linux']): void {
  const user = namespaces.find(({ type }) => type === 'user')
  if (user === undefined) {
    if (uidMappings.length + gidMappings.length > 0) throw refused("user namespace mappings specified, but USER namespace isn't enabled in the config")
    return
  }
  if (user.path === undefined && uidMappings.length === 0) throw refused('user namespaces enabled, but no uid mappings found')
  if (user.path === undefined && gidMappings.length === 0) throw refused('user namespaces enabled, but no gid mappings found')
}

/** The same for one process. */
export function refuseUnlessExecutable({ args, cwd, apparmorProfile, user }: OciProcess): void {
  if (args.length === 0) throw refused('no command specified')
  if (!cwd.startsWith('/')) throw refused('Cwd must be an absolute path')
  const { umask } = user
  if (umask !== undefined && (!Number.isInteger(umask) || umask < 0 || umask > 0o777)) throw refused(`invalid umask: ${umask}`)
  if (apparmorProfile !== undefined && apparmorProfile !== '' && !hasAppArmor()) throw new EngineError('not-implemented', 'apparmor is not enabled on this host')
}

/** Absolute, and without `..`, which openat2(2) would resolve but a text does not show. */
function refuseUnlessPath(what: string, path: string): void {
  if (!path.startsWith('/') || path.split('/').includes('..')) throw refused(`${what} ${JSON.stringify(path)} is not an absolute path`)
}

function refused(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
