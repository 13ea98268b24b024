import { EngineError } from '@engine/linux'
import type { ContainerConfig, ContainerConfigView, HealthConfig } from '../types/container-config.ts'
import { signalNumber } from './signals.ts'

/** What a container takes over from its image: the config's `config` object (OCI image spec), as far as it is set. */
export type ImageDefaults = Pick<ContainerConfig, 'User' | 'ExposedPorts' | 'Env' | 'Entrypoint' | 'Cmd' | 'Volumes' | 'WorkingDir' | 'Labels' | 'StopSignal' | 'Healthcheck' | 'OnBuild' | 'Shell' | 'ArgsEscaped'>

/**
 * Docker's merge of what a client gave with what the image says (moby runconfig, `merge`), checked.
 * @throws EngineError invalid-argument `no command specified` and the like, in Docker's words
 */
export function mergeConfig(given: ContainerConfig, image: ImageDefaults, id: string): ContainerConfigView {
  let cmd = given.Cmd ?? null
  let entrypoint = given.Entrypoint ?? null
  if ((entrypoint?.length ?? 0) === 0) {
    if ((cmd?.length ?? 0) === 0) cmd = image.Cmd ?? cmd
    entrypoint ??= image.Entrypoint ?? null
  }
  // [""] resets the image's entry point.
  if (entrypoint?.length === 1 && entrypoint[0] === '') entrypoint = null
  if ((entrypoint?.length ?? 0) === 0 && (cmd?.length ?? 0) === 0) throw new EngineError('invalid-argument', 'no command specified')

  const health = mergeHealth(given.Healthcheck ?? undefined, image.Healthcheck ?? undefined)
  const ports = { ...given.ExposedPorts, ...image.ExposedPorts }
  const volumes = { ...given.Volumes, ...image.Volumes }
  const env = mergeEnv(given.Env ?? [], image.Env ?? [])
  const stopSignal = given.StopSignal || image.StopSignal || undefined
  if (stopSignal !== undefined) signalNumber(stopSignal)
  const workingDir = workingDirectory(given.WorkingDir || image.WorkingDir || '')
  for (const variable of env) {
    if (variable === '' || variable.startsWith('=')) throw new EngineError('invalid-argument', `invalid environment variable: ${variable}`)
  }
  return {
    Hostname: given.Hostname || id.slice(0, 12),
    Domainname: given.Domainname ?? '',
    User: given.User || image.User || '',
    AttachStdin: given.AttachStdin ?? false,
    AttachStdout: given.AttachStdout ?? false,
    AttachStderr: given.AttachStderr ?? false,
    ...(Object.keys(ports).length > 0 ? { ExposedPorts: ports } : {}),
    Tty: given.Tty ?? false,
    OpenStdin: given.OpenStdin ?? false,
    StdinOnce: given.StdinOnce ?? false,
    Env: env.length > 0 ? env : (given.Env ?? image.Env ?? null),
    Cmd: cmd,
    ...(health !== undefined ? { Healthcheck: health } : {}),
    ...(given.ArgsEscaped ? { ArgsEscaped: true } : {}),
    Image: given.Image ?? '',
    Volumes: Object.keys(volumes).length > 0 ? volumes : null,
    WorkingDir: workingDir,
    Entrypoint: entrypoint,
    ...(given.NetworkDisabled ? { NetworkDisabled: true } : {}),
    ...(given.MacAddress ? { MacAddress: given.MacAddress } : {}),
    OnBuild: given.OnBuild ?? image.OnBuild ?? null,
    Labels: { ...image.Labels, ...given.Labels },
    ...(stopSignal !== undefined ? { StopSignal: stopSignal } : {}),
    ...(typeof given.StopTimeout === 'number' ? { StopTimeout: given.StopTimeout } : {}),
    ...((given.Shell?.length ?? 0) > 0 ? { Shell: given.Shell as readonly string[] } : {}),
  }
}

/** Program and arguments: the entry point with the command behind it, or the command alone. */
export function commandLine(config: Pick<ContainerConfigView, 'Entrypoint' | 'Cmd'>): { readonly path: string; readonly args: readonly string[] } {
  const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]
  return { path, args }
}

/** The client's variables first, then those of the image that it did not name. */
function mergeEnv(given: readonly string[], image: readonly string[]): string[] {
  const named = new Set(given.map(variableName))
  return [...given, ...image.filter((variable) => !named.has(variableName(variable)))]
}

const variableName = (variable: string): string => variable.split('=', 1)[0] as string

function mergeHealth(given: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
  if (given === undefined || image === undefined) return given ?? image
  return {
    Test: (given.Test?.length ?? 0) > 0 ? given.Test : image.Test,
    Interval: given.Interval || image.Interval,
    Timeout: given.Timeout || image.Timeout,
    StartPeriod: given.StartPeriod || image.StartPeriod,
    StartInterval: given.StartInterval || image.StartInterval,
    Retries: given.Retries || image.Retries,
  }
}

/** Cleaned as Go's filepath.Clean does it. @throws EngineError when it is not absolute */
function workingDirectory(path: string): string {
  if (path === '') return ''
  if (!path.startsWith('/')) throw new EngineError('invalid-argument', `the working directory '${path}' is invalid, it needs to be an absolute path`)
  return cleanPath(path)
}

/** An absolute path without `.`, `..` and double slashes; by text only, as Docker does it when a container is created. */
export function cleanPath(path: string): string {
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') kept.pop()
    else if (part !== '' && part !== '.') kept.push(part)
  }
  return `/${kept.join('/')}`
}
