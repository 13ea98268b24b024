import type { RegistryOptions, TarLimits } from '@engine/image'
import type { Remap } from '../userns/remap.ts'

/** Everything of a daemon's own on the host, from its configuration: two daemons with different options share nothing. */
export interface EngineOptions {
  /** `/var/lib/engine` */
  readonly dataRoot: string
  /** `/run/engine` */
  readonly execRoot: string
  /** Name of the default bridge's link, at most 15 characters: `engine0`. */
  readonly bridge: string
  /** The bridge's address with prefix length, `172.17.0.1/16`; undefined takes the first free of the address pools. */
  readonly bip?: string | undefined
  readonly fixedCidr?: string | undefined
  /** The default network has IPv6 too. */
  readonly ipv6?: boolean | undefined
  /** The bridge's IPv6 address with prefix length, and the part of its subnet for containers; without `bip6` that is the subnet. */
  readonly bip6?: string | undefined
  readonly fixedCidrV6?: string | undefined
  /** The routers that containers of the default network are told of; left out, the bridge. */
  readonly defaultGateway?: string | undefined
  readonly defaultGatewayV6?: string | undefined
  /** What `host-gateway` stands for; none: the bridge's addresses. */
  readonly hostGatewayIPs?: readonly string[] | undefined
  /** Options of networks that are made without them, by driver. */
  readonly networkOptions?: Readonly<Record<string, Readonly<Record<string, string>>>> | undefined
  readonly addressPools: readonly { readonly base: string; readonly size: number }[]
  /** Where ports are published that name no address of the host's; left out: at all of them. */
  readonly publishAddress?: string | undefined
  readonly mtu: number
  readonly interContainer: boolean
  readonly masquerade: boolean
  /** Name of the nftables table that is ours alone. */
  readonly nftablesTable: string
  /** Parent of containers' cgroups, `/engine`. */
  readonly cgroupParent: string
  /** The host's resolv.conf, where it is another one than /etc/resolv.conf. */
  readonly resolvConf?: string | undefined
  readonly dns: readonly string[]
  readonly dnsSearch: readonly string[]
  readonly dnsOptions: readonly string[]
  /** bytes */
  readonly defaultShmSize: number
  readonly defaultUlimits: readonly { readonly Name: string; readonly Soft: number; readonly Hard: number }[]
  readonly labels: readonly string[]
  /** The log driver of containers that name none, and its options; json-file without it. */
  readonly logDefault?: { readonly Type: string; readonly Config: Readonly<Record<string, string>> } | undefined
  /** Bytes that images may take, and the build cache; without it as much as there is. */
  readonly imageMaxSize?: number | undefined
  readonly buildCacheMaxSize?: number | undefined
  /** What archives and layers of images may be like; package image's defaults without it. */
  readonly archiveLimits?: TarLimits | undefined
  /** How registries are dealt with; undefined is as Docker does by default. */
  readonly registries?: RegistryOptions | undefined
  /** Whose ids containers have on the host, as the key `userns-remap` has it, or which; '' or left out: the host's own. */
  readonly usernsRemap?: string | Remap | undefined
  /** Seconds a container has to stop at a host's shutdown. */
  readonly shutdownTimeout: number
  /** Other OCI runtimes, by the name that containers choose them by. */
  readonly runtimes?: Readonly<Record<string, { readonly path: string; readonly args: readonly string[] }>> | undefined
  /** The runtime of containers that name none; engine's own without it. */
  readonly defaultRuntime?: string | undefined
  /** Directories with spec files of the Container Device Interface; Docker's two without it. */
  readonly cdiSpecDirs?: readonly string[] | undefined
  /** Path of the program engine-shim (bundled) and of the Node binary that runs it. */
  readonly shimProgram: string
  readonly nodeBinary: string
  /** The shim is a service of systemd's: engined only connects, it does not start it. */
  readonly shimManaged: boolean
  /** Whether kernel actions are recorded; they are unless this is false. */
  readonly ledger?: boolean | undefined
  readonly debug: boolean
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', fields: Readonly<Record<string, unknown>>, message: string) => void
}
