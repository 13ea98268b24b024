export type EventType = 'builder' | 'container' | 'daemon' | 'image' | 'network' | 'volume'

/** One line of GET /events, version 1.51: with the fields of old (`status`, `id`, `from`) beside the new ones. */
export interface EngineEvent {
  /** Action, for containers and images. */
  readonly status?: string
  /** Actor.ID, for containers and images. */
  readonly id?: string
  /** The image, for containers. */
  readonly from?: string
  readonly Type: EventType
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
  readonly scope: 'local'
  /** Seconds since the epoch. */
  readonly time: number
  /** Nanoseconds since the epoch: above 2^53, so JSON needs JSON.rawJSON for it. */
  readonly timeNano: bigint
}
