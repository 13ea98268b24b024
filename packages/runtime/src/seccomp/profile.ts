import { release } from 'node:os'
import { EngineError } from '@engine/linux'
import type { OciSeccomp, OciSeccompRule, SeccompAction } from '../spec.ts'
import { builtinProfile } from './default-profile/index.ts'
import { parseProfileJson } from './profile-json.ts'

/** When a rule of a profile counts: every condition that is named must hold. */
export interface ProfileCondition {
  /** Capabilities, all of which a container has (includes) or one of which it has (excludes). */
  readonly caps?: readonly string[]
  /** Go's names of architectures: `amd64`, `arm64`, `s390x`. */
  readonly arches?: readonly string[]
  /** `4.8`: the running kernel is that or newer. */
  readonly minKernel?: string
}

/** A rule of a profile as Docker's JSON has it; `name` is the older form. */
export interface ProfileRule {
  readonly name?: string
  readonly names: readonly string[]
  readonly action: SeccompAction
  readonly errnoRet?: number
  readonly args?: NonNullable<OciSeccompRule['args']>
  readonly includes?: ProfileCondition
  readonly excludes?: ProfileCondition
}

/** A seccomp profile in Docker's form, before it is worked out for a container and a host. */
export interface Profile {
  readonly defaultAction: SeccompAction | ''
  readonly defaultErrnoRet?: number
  readonly architectures?: readonly string[]
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] }[]
  readonly flags?: readonly string[]
  readonly syscalls: readonly ProfileRule[]
}

/** What a profile's conditions are judged by. */
export interface ProfileContext {
  /** The container's bounding set, names in full. */
  readonly capabilities: readonly string[]
  /** Go's name of the machine's architecture; this one's without it. */
  readonly architecture?: string
  /** As uname(2) has it; the running one without it. */
  readonly kernel?: string
}

/** Go's names, and libseccomp's, of what Node calls its architectures. */
const architectures: Readonly<Record<string, readonly [go: string, libseccomp: string]>> = {
  x64: ['amd64', 'SCMP_ARCH_X86_64'],
  arm64: ['arm64', 'SCMP_ARCH_AARCH64'],
  arm: ['arm', 'SCMP_ARCH_ARM'],
  s390x: ['s390x', 'SCMP_ARCH_S390X'],
  riscv64: ['riscv64', 'SCMP_ARCH_RISCV64'],
  loong64: ['loong64', 'SCMP_ARCH_LOONGARCH64'],
  ppc64: ['ppc64le', 'SCMP_ARCH_PPC64LE'],
}

/** The built-in profile for a container with these capabilities. */
export function defaultProfile(context: ProfileContext): OciSeccomp {
  const profile = resolveProfile(builtinProfile, context)
  if (profile === undefined) throw new EngineError('internal', 'the built-in seccomp profile is empty')
  return profile
}

/**
 * A user's profile (`--security-opt seccomp=…`) for a container with these capabilities.
 * @param json the profile itself, not its path; Docker's form or the OCI spec's
 * @returns undefined for a profile without a default action and rules, which Docker takes for none
 * @throws EngineError invalid-argument, in Docker's words
 */
export function parseProfile(json: string, context: ProfileContext): OciSeccomp | undefined {
  return resolveProfile(parseProfileJson(json), context)
}

function resolveProfile(profile: Profile, context: ProfileContext): OciSeccomp | undefined {
  if (profile.defaultAction === '' && profile.syscalls.length === 0) return undefined
  const archMap = profile.archMap ?? []
  if ((profile.architectures ?? []).length > 0 && archMap.length > 0) {
    throw refused("both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'")
  }
  const [go, native] = architectures[process.arch] ?? [process.arch, '']
  const mapped = archMap.find(({ architecture }) => architecture === native)
  const host = { capabilities: context.capabilities, architecture: context.architecture ?? go, kernel: context.kernel ?? release() }
  return {
    // The compiler refuses an empty action, in runc's words.
    defaultAction: profile.defaultAction as SeccompAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: mapped === undefined ? (profile.architectures ?? []) : [mapped.architecture, ...mapped.subArchitectures],
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    syscalls: profile.syscalls.filter((rule) => counts(rule, host)).map(plainRule),
  }
}

function counts({ includes, excludes }: ProfileRule, host: Required<ProfileContext>): boolean {
  if (excludes?.arches?.includes(host.architecture) === true) return false
  if (excludes?.caps?.some((name) => host.capabilities.includes(name)) === true) return false
  if (excludes?.minKernel !== undefined && isAtLeast(host.kernel, excludes.minKernel)) return false
  if (includes?.arches !== undefined && includes.arches.length > 0 && !includes.arches.includes(host.architecture)) return false
  if (includes?.caps?.some((name) => !host.capabilities.includes(name)) === true) return false
  return includes?.minKernel === undefined || isAtLeast(host.kernel, includes.minKernel)
}

function plainRule({ name = '', names, action, errnoRet, args }: ProfileRule): OciSeccompRule {
  if (name !== '' && names.length > 0) throw refused("both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'")
  return {
    names: name === '' ? names : [name],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args === undefined ? {} : { args }),
  }
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split(/[.-]/).map(Number)
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number)
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
}

function refused(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
