import * as z from 'zod'
import { EngineError } from '@engine/linux'
import { parseMirror, type EngineOptions } from '@engine/engine'

const host = z.string().regex(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?$/, 'must be a registry, host or host:port')
const repository = z.string().regex(/^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?(?:\/[a-z0-9._/-]+)?$/, 'must be a registry, or a repository with its registry')
const insecure = z.string().regex(/^(?:[0-9a-fA-F.:]+\/\d{1,3}|(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(?::\d{1,5})?)$/, 'must be a registry without a scheme, or a range of addresses')

/** The keys about registries: Docker's, and `registries`, which says for any of them what Docker says for its own. */
export const registryKeys = {
  'registry-mirrors': z.array(z.string()).default([]),
  'insecure-registries': z.array(insecure).default([]),
  registries: z.record(repository, z.strictObject({ mirrors: z.array(z.string()).default([]), insecure: z.boolean().default(false), blocked: z.boolean().default(false) })).default({}),
  'certs-dirs': z.array(z.string().startsWith('/', 'must be an absolute path')).default(['/etc/engine/certs.d', '/etc/docker/certs.d']),
  'max-concurrent-downloads': z.number().int().min(0).default(3),
  'max-concurrent-uploads': z.number().int().min(0).default(5),
  'max-download-attempts': z.number().int().min(1, 'must be at least 1').default(5),
}

type Config = { readonly [Key in keyof typeof registryKeys]: z.infer<(typeof registryKeys)[Key]> }

/**
 * The engine's part of it.
 * @throws EngineError invalid-argument for a mirror that is none, in Docker's words
 */
export function registryOptions(config: Config): NonNullable<EngineOptions['registries']> {
  const entries = Object.entries(config.registries)
  for (const [name, { mirrors, insecure: isInsecure }] of entries) {
    // Both are about a host; only blocking is about a part of one.
    if (name.includes('/') && (mirrors.length > 0 || isInsecure)) throw new EngineError('invalid-argument', `${name} is a repository: only blocked can be said of it`)
    if (!name.includes('/') && !host.safeParse(name).success) throw new EngineError('invalid-argument', `${name} is no registry`)
  }
  const mirrors = new Map<string, readonly string[]>(entries.filter(([, entry]) => entry.mirrors.length > 0).map(([name, entry]) => [name, entry.mirrors]))
  const own = [...config['registry-mirrors'], ...(mirrors.get('docker.io') ?? [])]
  if (own.length > 0) mirrors.set('docker.io', own)
  for (const mirror of [...mirrors.values()].flat()) parseMirror(mirror)
  return {
    mirrors,
    insecure: [...config['insecure-registries'], ...entries.filter(([, entry]) => entry.insecure).map(([name]) => name)],
    blocked: entries.filter(([, entry]) => entry.blocked).map(([name]) => name),
    certificates: config['certs-dirs'],
    // Docker takes 0 as its default.
    downloads: config['max-concurrent-downloads'] || 3,
    uploads: config['max-concurrent-uploads'] || 5,
    attempts: config['max-download-attempts'],
  }
}
