import { EngineError } from '@engine/linux'

/** What a program was built for, in Go's names: `linux`, `amd64`. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
}

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm', ppc64: 'ppc64le', riscv64: 'riscv64', s390x: 's390x' }

const aliases: Readonly<Record<string, { readonly architecture: string; readonly variant?: string }>> = {
  i386: { architecture: '386' },
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
}
const knownArchitectures = new Set(['386', 'amd64', 'arm', 'arm64', 'loong64', 'mips', 'mips64', 'mips64le', 'mipsle', 'ppc64', 'ppc64le', 'riscv64', 's390x', 'wasm'])
const knownSystems = new Set(['linux', 'windows', 'darwin', 'freebsd', 'wasip1'])

/** This machine's platform. */
export function hostPlatform(): Platform {
  return { os: 'linux', architecture: architectures[process.arch] ?? process.arch }
}

/**
 * Parses `linux/arm64`, `arm64`, `linux` or `linux/arm/v7`.
 * @throws EngineError invalid-argument for what is no platform, and for one that is not Linux
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  const [first = '', second, variant] = parts
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new EngineError('invalid-argument', `${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`)
  }
  if (second === undefined) {
    if (knownSystems.has(first)) return checked({ os: first, architecture: hostPlatform().architecture })
    const architecture = aliases[first] ?? (knownArchitectures.has(first) ? { architecture: first } : undefined)
    if (architecture !== undefined) return { os: 'linux', ...architecture }
    throw new EngineError('invalid-argument', `${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`)
  }
  const architecture = aliases[second] ?? { architecture: second }
  return checked({ os: first === 'macos' ? 'darwin' : first, ...architecture, ...(variant === undefined || (second === 'arm64' && variant === 'v8') ? {} : { variant }) })
}

function checked(platform: Platform): Platform {
  if (platform.os !== 'linux') throw new EngineError('invalid-argument', 'operating system is not supported')
  return platform
}
