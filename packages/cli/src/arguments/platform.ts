import { CommandError } from '../commands/command.ts'

/** An OCI platform, with its fields in the order of docker's JSON. */
export interface Platform {
  readonly architecture: string
  readonly os: string
  readonly 'os.version'?: string
  readonly variant?: string
}

const systems = new Set([
  'aix', 'android', 'darwin', 'dragonfly', 'freebsd', 'hurd', 'illumos', 'ios', 'js', 'linux', 'nacl', 'netbsd', 'openbsd', 'plan9', 'solaris', 'windows', 'zos',
])
const architectures = new Set([
  '386', 'amd64', 'amd64p32', 'arm', 'armbe', 'arm64', 'arm64be', 'ppc64', 'ppc64le', 'loong64', 'mips', 'mipsle', 'mips64', 'mips64le', 'mips64p32', 'mips64p32le',
  'ppc', 'riscv', 'riscv64', 's390', 's390x', 'sparc', 'sparc64', 'wasm',
])

/**
 * Reads `os[/arch[/variant]]` or an architecture alone, with the other names that containerd's platforms.Parse knows (`x86_64`, `aarch64`).
 * @throws CommandError with docker's text
 */
export function parsePlatform(text: string): Platform {
  const refuse = (why: string): never => {
    throw new CommandError(`${why}: invalid argument`)
  }
  const parts = text.split('/')
  if (parts.length > 3) refuse(`${JSON.stringify(text)}: cannot parse platform specifier`)
  const [first = '', ...rest] = parts
  const system = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?$/.exec(first)
  const wrong = rest.find((part) => !/^[A-Za-z0-9_-]+$/.test(part))
  if (system === null) return refuse(`${JSON.stringify(first)} is an invalid OS component of ${JSON.stringify(text)}: OSAndVersion specifier component must match "^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.-]*)\\\\))?$"`)
  if (wrong !== undefined) refuse(`${JSON.stringify(wrong)} is an invalid component of ${JSON.stringify(text)}: platform specifier component must match "^[A-Za-z0-9_-]+$"`)
  const [, name = '', version = ''] = system
  const os = systemNamed(name)
  const [architecture, variant = ''] = rest
  if (architecture !== undefined) return platform(os, version, ...architectureNamed(architecture, variant))
  if (systems.has(os)) return platform(os, version, hostArchitecture(), '')
  const [alone, itsVariant] = architectureNamed(name, '')
  if (!architectures.has(alone)) refuse(`${JSON.stringify(text)}: unknown operating system or architecture`)
  return platform('linux', '', alone, itsVariant)
}

/** This machine's architecture as Go names it. */
export function hostArchitecture(): string {
  return ({ x64: 'amd64', ia32: '386' } as Readonly<Record<string, string>>)[process.arch] ?? process.arch
}

function platform(os: string, version: string, architecture: string, variant: string): Platform {
  return { architecture, os, ...(version === '' ? {} : { 'os.version': version }), ...(variant === '' ? {} : { variant }) }
}

function systemNamed(name: string): string {
  const lower = name.toLowerCase()
  return lower === 'macos' ? 'darwin' : lower
}

function architectureNamed(name: string, itsVariant: string): [architecture: string, variant: string] {
  const variant = itsVariant.toLowerCase()
  const lower = name.toLowerCase()
  switch (lower) {
    case 'i386': return ['386', '']
    case 'x86_64': case 'x86-64': case 'amd64': return ['amd64', variant === 'v1' ? '' : variant]
    case 'aarch64': case 'arm64': return ['arm64', variant === '8' ? 'v8' : variant]
    case 'armhf': return ['arm', '']
    case 'armel': return ['arm', 'v6']
    case 'arm': return ['arm', ['5', '6', '7', '8'].includes(variant) ? `v${variant}` : variant]
    default: return [lower, variant]
  }
}

/**
 * The query's `platform` of a flag `--platform`.
 * @param prefix of docker's text, which not every command has
 * @throws CommandError with docker's text
 */
export function platformQuery(flag: string | undefined, prefix = 'invalid platform: '): string | undefined {
  if (flag === undefined || flag === '') return undefined
  try {
    return JSON.stringify(parsePlatform(flag))
  } catch (error) {
    throw new CommandError(`${prefix}${(error as Error).message}`)
  }
}
