import type { EndpointLease, PublishedPort } from '@engine/network'
import type { Health } from '../health/health.ts'
import type { ContainerConfigView, EndpointIpamConfig, HostConfigView } from '../types/container-config.ts'
import type { ContainerMount } from './mount-parse.ts'
import { Mutex } from './mutex.ts'
import type { ContainerState } from './state.ts'

/** What a client asked of an endpoint when the container was created; the network fills in the rest at every start. */
export interface EndpointRequest {
  readonly IPAMConfig: EndpointIpamConfig | null
  readonly Links: readonly string[] | null
  readonly Aliases: readonly string[] | null
  readonly MacAddress: string
  readonly DriverOpts: Readonly<Record<string, string>> | null
  readonly GwPriority: number
}

/** A container's place on one network. */
export interface SandboxEndpoint {
  readonly id: string
  readonly networkId: string
  /** Of the network; 0 on networks that give no IPv4 address. */
  readonly prefix: number
  readonly gateway: string
  /** The same of IPv6. */
  readonly prefix6: number
  readonly gateway6: string
  /** Its link and addresses; none in the host's network, and without one. */
  readonly lease?: EndpointLease
}

/** A running container's place in the network. */
export interface Sandbox {
  /** 64 hex digits; '' when it shares another container's, or is not running. */
  readonly id: string
  /** Path of the namespace file; for the host's namespace a path without a file, ending in `default`, as Docker shows it. */
  readonly key: string
  /** One for each network, the one of NetworkMode first. */
  readonly endpoints: readonly SandboxEndpoint[]
  /** Ports of the host's that lead here; rows of before have none. */
  readonly ports?: readonly PublishedPort[]
}

export const noSandbox: Sandbox = { id: '', key: '', endpoints: [] }

/** What is settled at creation, as the database keeps it; name, limits and networks can be changed later. */
export interface ContainerRecord {
  readonly id: string
  name: string
  /** RFC 3339 with nanoseconds, and the same in nanoseconds for sorting. */
  readonly createdAt: string
  readonly createdNs: bigint
  readonly imageId: string
  readonly path: string
  readonly args: readonly string[]
  readonly config: ContainerConfigView
  /** Replaced as a whole by an update of limits or restart policy. */
  hostConfig: HostConfigView
  readonly mounts: readonly ContainerMount[]
  /** By network name. */
  endpoints: Readonly<Record<string, EndpointRequest>>
  /** Ids of the image's layers under overlay2/, topmost first. */
  readonly layers: readonly string[]
}

/** Who waits for what of a container. */
export interface Waiter {
  readonly condition: 'started' | 'stopped' | 'removed'
  readonly resolve: (error?: string) => void
}

/** One container. The database has the same; only the fields below `lock` live in memory alone. */
export class Container {
  readonly record: ContainerRecord
  readonly state: ContainerState
  sandbox: Sandbox
  /** Verbs that change the container take turns. Waiting for a process to end is done outside of it. */
  readonly lock = new Mutex()
  /** Undoing the last run's mounts, network and cgroup; the next start and the removal wait for it. */
  teardown: Promise<void> | undefined
  /** Places on networks that are being made, by a start or a connect. */
  connecting: readonly SandboxEndpoint[] = []
  /** A removal is under way. */
  removing = false
  /** `--rm` does not remove it at the end that is coming: it is being restarted. */
  keepOnExit = false
  readonly waiters = new Set<Waiter>()
  /** Set while clients still read the output of a run that has ended; its spool must stay until then. */
  reading: Promise<void> | undefined
  /** The next restart by the policy. */
  restart: { readonly timer: NodeJS.Timeout } | undefined
  /** Milliseconds waited before the last restart by the policy. */
  restartDelay = 0
  /** A request has ended the policy's work until the next start. */
  policyCancelled = false
  /** Variables of a build step that are secret: in no row and no answer. */
  secretEnvironment: readonly string[] = []
  /** What health checks have found; undefined for one that was never checked. */
  health: Health | undefined
  /** Ends the checking of its health. */
  healthWatch: AbortController | undefined
  /** The cgroup reported a kill for want of memory during this run. */
  oomReported = false

  constructor(record: ContainerRecord, state: ContainerState, sandbox: Sandbox) {
    this.record = record
    this.state = state
    this.sandbox = sandbox
  }

  get id(): string {
    return this.record.id
  }

  get name(): string {
    return this.record.name
  }

  /** Resolves the waiters of a condition. */
  wake(condition: Waiter['condition'], error?: string): void {
    for (const waiter of this.waiters) {
      if (waiter.condition !== condition) continue
      this.waiters.delete(waiter)
      waiter.resolve(error)
    }
  }

  /** What events say of it: labels, image and name. */
  attributes(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    return { ...this.record.config.Labels, image: this.record.config.Image, name: this.name, ...more }
  }
}
