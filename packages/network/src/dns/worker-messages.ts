import type { ResolverSettings } from './sandbox-resolver.ts'
import type { NamedEndpoint } from './zone.ts'

/** What the thread that answers is told. */
export type ToWorker =
  | { readonly type: 'network'; readonly id: string; readonly name: string }
  | { readonly type: 'network-gone'; readonly id: string }
  | { readonly type: 'endpoint'; readonly networkId: string; readonly id: string; readonly endpoint: NamedEndpoint }
  | { readonly type: 'endpoint-gone'; readonly networkId: string; readonly id: string }
  /** Opens a sandbox's resolver, or changes its settings. Answered by `opened`. */
  | { readonly type: 'open'; readonly request: number; readonly sandbox: string; readonly settings: ResolverSettings }
  | { readonly type: 'close'; readonly sandbox: string }

/** What it says: how an opening went. */
export interface FromWorker {
  readonly request: number
  readonly error?: string
}
