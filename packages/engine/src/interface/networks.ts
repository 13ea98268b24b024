import type { EndpointSettings } from '../types/container-config.ts'
import type { NetworkView } from '../types/system-views.ts'
import type { TraceView } from '../types/trace-view.ts'
import type { Filters } from './filters.ts'

export interface Networks {
  /** @param options.containers whether each tells which containers are on it */
  list(filters: Filters, options?: { readonly containers: boolean }): Promise<NetworkView[]>
  /** @param options `scope`: '' for any */
  inspect(ref: string, options?: { readonly scope: string }): Promise<NetworkView>
  create(request: CreateNetwork): Promise<{ Id: string; Warning: string }>
  remove(ref: string): Promise<void>
  connect(ref: string, container: string, endpoint: EndpointSettings): Promise<void>
  disconnect(ref: string, container: string, force: boolean): Promise<void>
  prune(filters: Filters): Promise<{ NetworksDeleted: string[] | null }>
  /** The way of a packet, and what stops it. @param from container, `host` or `outside` @param to `container:port`, `address:port`, `host:port` */
  trace(from: string, to: string, protocol: 'tcp' | 'udp', family?: 'ipv4' | 'ipv6'): Promise<TraceView>
}

/** A network as a client wants it made: POST /networks/create. */
export interface CreateNetwork {
  readonly Name: string
  readonly Driver?: string | null | undefined
  readonly Scope?: string | null | undefined
  readonly Internal?: boolean | null | undefined
  readonly Attachable?: boolean | null | undefined
  readonly Ingress?: boolean | null | undefined
  readonly ConfigOnly?: boolean | null | undefined
  readonly ConfigFrom?: { readonly Network?: string | null | undefined } | null | undefined
  readonly IPAM?: {
    readonly Driver?: string | null | undefined
    readonly Options?: Readonly<Record<string, string>> | null | undefined
    readonly Config?: readonly {
      readonly Subnet?: string | null | undefined
      readonly IPRange?: string | null | undefined
      readonly Gateway?: string | null | undefined
      readonly AuxiliaryAddresses?: Readonly<Record<string, string>> | null | undefined
    }[] | null | undefined
  } | null | undefined
  readonly EnableIPv4?: boolean | null | undefined
  readonly EnableIPv6?: boolean | null | undefined
  readonly Options?: Readonly<Record<string, string>> | null | undefined
  readonly Labels?: Readonly<Record<string, string>> | null | undefined
}
