import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isIP } from 'node:net'
import * as z from 'zod'
import { EngineError } from '@engine/linux'
import { checkLogging, type EngineOptions } from '@engine/engine'
import { checkAddressPool, checkFamilies, checkUlimit, isAnyAddress, parseListenHost, parseSize, type Host } from './config-values.ts'
import type { CommandLine } from './flags.ts'
import { ArchiveLimits, archiveLimits } from './config-archive-limits.ts'
import { registryKeys, registryOptions } from './config-registries.ts'
import { fixedOptions, inertOptions, options, unsupportedOptions } from './options.ts'

/** Where the configuration is read from unless `--config` says otherwise; it need not be there. */
const DEFAULT_FILE = '/etc/engine/engine.json'

const path = z.string().startsWith('/', 'must be an absolute path')
const address = z.string().refine((text) => isIP(text) !== 0, 'must be an IP address')
const cidr = z.string().refine((text) => /^[0-9.]+\/\d{1,2}$/.test(text) && isIP(text.split('/')[0] ?? '') === 4 && Number(text.split('/')[1]) <= 32, 'must be an IPv4 address with prefix length')
const cidr6 = z.string().refine((text) => /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(text) && isIP(text.split('/')[0] ?? '') === 6 && Number(text.split('/')[1]) <= 128, 'must be an IPv6 address with prefix length')
const size = z.union([z.number().int().nonnegative(), z.string()], 'must be a size such as 64M')

/** What each key may hold. Defaults are Docker's, but for the names of what is ours on the host. */
const Config = z.strictObject({
  hosts: z.array(z.string()).nonempty().default(['unix:///run/engine.sock']),
  group: z.string().optional(),
  'data-root': path.default('/var/lib/engine'),
  'exec-root': path.default('/run/engine'),
  pidfile: path.optional(),
  bridge: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/, 'must be a link name of at most 15 characters').default('engine0'),
  bip: cidr.optional(),
  'fixed-cidr': cidr.optional(),
  ipv6: z.boolean().default(false),
  bip6: cidr6.optional(),
  'fixed-cidr-v6': cidr6.optional(),
  'default-gateway': address.optional(),
  'default-gateway-v6': address.optional(),
  'host-gateway-ips': z.array(address).max(2, 'must be at most one address of each family').default([]),
  'default-network-opts': z.record(z.string(), z.record(z.string(), z.string('must be a text'))).default({}),
  'default-address-pools': z.array(z.strictObject({ base: z.union([cidr, cidr6], 'must be an address with prefix length'), size: z.number().int().min(1).max(128) })).default([]),
  mtu: z.number().int().refine((bytes) => bytes === 0 || (bytes >= 68 && bytes <= 65_535), 'must lie between 68 and 65535').default(1500),
  ip: address.default('0.0.0.0'),
  icc: z.boolean().default(true),
  'ip-masq': z.boolean().default(true),
  'nftables-table': z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,31}$/, 'must be a name of letters, digits and _').default('engine'),
  'cgroup-parent': path.regex(/^\/(?!.*(?:^|\/)\.\.?(?:\/|$)).+/, 'must be a cgroup below the root').default('/engine'),
  'resolv-conf': path.optional(),
  dns: z.array(address).default([]),
  'dns-opts': z.array(z.string()).default([]),
  'dns-search': z.array(z.string()).default([]),
  'default-shm-size': size.default('64M'),
  'default-ulimits': z.record(z.string(), z.object({ Name: z.string(), Soft: z.number().int(), Hard: z.number().int() })).default({}),
  labels: z.array(z.string().regex(/^[^=]+=/, 'must be key=value')).default([]),
  'log-driver': z.string().min(1).default('json-file'),
  'log-opts': z.record(z.string(), z.string('must be a text, as in "max-file": "3"')).default({}),
  'image-max-size': size.optional(),
  'build-cache-max-size': size.optional(),
  'archive-limits': ArchiveLimits.default({}),
  ...registryKeys,
  runtimes: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'must be a name'), z.object({ path: z.string().min(1), runtimeArgs: z.array(z.string()).default([]) })).default({}),
  'cdi-spec-dirs': z.array(path).default(['/etc/cdi', '/var/run/cdi']),
  'default-runtime': z.string().default('engine'),
  'userns-remap': z.string().default(''),
  'live-restore': z.boolean().default(true),
  'shutdown-timeout': z.number().int().min(-1).default(15),
  ledger: z.boolean().default(true),
  debug: z.boolean().default(false),
  'log-level': z.literal(['debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  'log-format': z.literal(['text', 'json']).default('text'),
  'metrics-addr': z.string().regex(/^(\[[0-9a-f:.]+\]|[^:/]+):\d+$/i, 'must be address:port').optional(),
  tls: z.boolean().optional(),
  tlsverify: z.boolean().default(false),
  tlscacert: path.optional(),
  tlscert: path.optional(),
  tlskey: path.optional(),
  'shim-program': path.optional(),
  'node-binary': path.optional(),
  'shim-managed': z.boolean().default(false),
})

export type DaemonConfig = Readonly<z.infer<typeof Config>> & {
  readonly listen: readonly Host[]
  /** What the user should know of the configuration. */
  readonly warnings: readonly string[]
}

/**
 * Reads the configuration: the file's keys, flags before them.
 * @throws EngineError invalid-argument that names the key
 */
export function loadConfig(line: Pick<CommandLine, 'values' | 'config'>): DaemonConfig {
  const file = line.config ?? DEFAULT_FILE
  const given = { ...withNewNames(line.config !== undefined || existsSync(file) ? readFile(file) : {}), ...line.values }
  const warnings = checkKeys(given)
  const known = Object.fromEntries(Object.entries(given).filter(([key]) => options.some((option) => option.key === key)))
  const parsed = Config.safeParse(known)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const key = issue?.path.join('.') ?? ''
    throw new EngineError('invalid-argument', `invalid configuration: ${key}: ${issue?.message ?? 'not valid'}`, { hint: `see ${file}, and engined --help` })
  }
  return check(parsed.data, warnings)
}

function readFile(file: string): Readonly<Record<string, unknown>> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new EngineError('invalid-argument', `unable to configure the daemon with file ${file}: ${(cause as Error).message}`, { cause })
  }
  if (text.trim() === '') return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new EngineError('invalid-argument', `unable to configure the daemon with file ${file}: ${(cause as Error).message}`, { cause })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new EngineError('invalid-argument', `unable to configure the daemon with file ${file}: it holds no JSON object`)
  return value as Record<string, unknown>
}

/** Docker's key of before 28, of one address. */
function withNewNames({ 'host-gateway-ip': gateway, ...file }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return gateway === undefined ? file : { 'host-gateway-ips': [gateway], ...file }
}

/** Tells keys that are ours from Docker's others and from mistakes. @returns warnings */
function checkKeys(given: Readonly<Record<string, unknown>>): string[] {
  const warnings: string[] = []
  const unknown: string[] = []
  for (const [key, value] of Object.entries(given)) {
    if (options.some((option) => option.key === key)) continue
    if (inertOptions.has(key)) warnings.push(`${key} has no effect on engine`)
    else if (Object.hasOwn(fixedOptions, key)) {
      if (value !== fixedOptions[key]) throw unsupported(key, `engine supports only ${JSON.stringify(fixedOptions[key])}`)
    } else if (unsupportedOptions.has(key)) throw unsupported(key, 'engine does not support it')
    else unknown.push(key)
  }
  if (unknown.length > 0) throw new EngineError('invalid-argument', `the following directives don't match any configuration option: ${unknown.join(', ')}`)
  return warnings
}

function unsupported(key: string, why: string): EngineError {
  return new EngineError('invalid-argument', `invalid configuration: ${key}: ${why}`, { hint: 'take the key away to go on without it' })
}

/** What one key alone does not tell. */
function check(config: z.infer<typeof Config>, warnings: string[]): DaemonConfig {
  const listen = config.hosts.map((host) => named('hosts', () => parseListenHost(host)))
  named('registry-mirrors', () => registryOptions(config))
  for (const ulimit of Object.values(config['default-ulimits'])) named('default-ulimits', () => checkUlimit(ulimit))
  named('log-opts', () => checkLogging({ Type: config['log-driver'], Config: config['log-opts'] }))
  for (const key of ['default-shm-size', 'image-max-size', 'build-cache-max-size'] as const) named(key, () => bytes(config[key] ?? 0))
  const verify = config.tlsverify
  const tls = verify || config.tls === true
  if (tls && (config.tlscert === undefined || config.tlskey === undefined)) throw new EngineError('invalid-argument', 'invalid configuration: tls: tlscert and tlskey are needed')
  if (verify && config.tlscacert === undefined) throw new EngineError('invalid-argument', 'invalid configuration: tlsverify: tlscacert is needed')
  for (const host of listen) {
    if (host.kind !== 'tcp' || verify) continue
    if (isAnyAddress(host.host)) {
      throw new EngineError('invalid-argument', `invalid configuration: hosts: tcp://${host.host}:${host.port} without tlsverify would make everybody who reaches this machine root on it`, {
        hint: 'use tlsverify with certificates, or ssh; or listen on an address of one network',
      })
    }
    warnings.push(`whoever reaches tcp://${host.host}:${host.port} is root on this machine: there is no tlsverify`)
  }
  named('host-gateway-ips', () => checkFamilies(config['host-gateway-ips']))
  for (const pool of config['default-address-pools']) named('default-address-pools', () => checkAddressPool(pool))
  if (config['default-gateway'] !== undefined && isIP(config['default-gateway']) !== 4) throw new EngineError('invalid-argument', 'invalid configuration: default-gateway: must be an IPv4 address')
  if (config['default-gateway-v6'] !== undefined && isIP(config['default-gateway-v6']) !== 6) throw new EngineError('invalid-argument', 'invalid configuration: default-gateway-v6: must be an IPv6 address')
  if (!config.ipv6 && (config.bip6 ?? config['fixed-cidr-v6']) !== undefined) warnings.push('bip6 and fixed-cidr-v6 have no effect without ipv6')
  if (config.bip === undefined && config['fixed-cidr'] !== undefined) throw new EngineError('invalid-argument', 'invalid configuration: fixed-cidr: bip is needed with it')
  return { ...config, tls, listen, warnings }
}

function named<T>(key: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw new EngineError(error.code, `invalid configuration: ${key}: ${error.message}`, { hint: error.hint, cause: error })
  }
}

/** @throws EngineError invalid-argument */
function bytes(value: string | number): number {
  return typeof value === 'number' ? value : parseSize(value)
}

/**
 * The engine's part of the configuration.
 * @param program path of the running engined; the other programs lie beside it
 */
export function engineOptions(config: DaemonConfig, program: string, log: EngineOptions['log']): EngineOptions {
  return {
    dataRoot: config['data-root'],
    execRoot: config['exec-root'],
    bridge: config.bridge,
    bip: config.bip,
    fixedCidr: config['fixed-cidr'],
    ipv6: config.ipv6,
    bip6: config.bip6,
    fixedCidrV6: config['fixed-cidr-v6'],
    defaultGateway: config['default-gateway'],
    defaultGatewayV6: config['default-gateway-v6'],
    hostGatewayIPs: config['host-gateway-ips'],
    networkOptions: config['default-network-opts'],
    addressPools: config['default-address-pools'],
    publishAddress: config.ip,
    mtu: config.mtu === 0 ? 1500 : config.mtu,
    interContainer: config.icc,
    masquerade: config['ip-masq'],
    nftablesTable: config['nftables-table'],
    cgroupParent: config['cgroup-parent'],
    resolvConf: config['resolv-conf'],
    dns: config.dns,
    dnsSearch: config['dns-search'],
    dnsOptions: config['dns-opts'],
    defaultShmSize: bytes(config['default-shm-size']),
    // None, as elsewhere in Docker's configuration.
    imageMaxSize: bytes(config['image-max-size'] ?? 0) || undefined,
    buildCacheMaxSize: bytes(config['build-cache-max-size'] ?? 0) || undefined,
    defaultUlimits: Object.values(config['default-ulimits']),
    labels: config.labels,
    logDefault: { Type: config['log-driver'], Config: config['log-opts'] },
    archiveLimits: archiveLimits(config['archive-limits']),
    usernsRemap: config['userns-remap'],
    registries: registryOptions(config),
    shutdownTimeout: config['shutdown-timeout'],
    runtimes: Object.fromEntries(Object.entries(config.runtimes).map(([name, { path: program, runtimeArgs }]) => [name, { path: program, args: runtimeArgs }])),
    cdiSpecDirs: config['cdi-spec-dirs'],
    defaultRuntime: config['default-runtime'],
    shimProgram: config['shim-program'] ?? shimProgram(program),
    nodeBinary: config['node-binary'] ?? process.execPath,
    shimManaged: config['shim-managed'],
    ledger: config.ledger,
    debug: config.debug || config['log-level'] === 'debug',
    log,
  }
}

/** The shim that engined starts: the bundle beside its own, or, when it runs from its sources, the shim's. The engine finds its workers beside it. */
function shimProgram(program: string): string {
  const directory = dirname(program)
  return program.endsWith('.ts') ? join(directory, '../../runtime/src/shim/main.ts') : join(directory, 'engine-shim.cjs')
}
