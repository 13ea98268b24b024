import type { Client } from '../connection/client.ts'
import type { StatsRow, StatsSample } from '../output/views/stats.ts'

/** The containers that are looked at, with the last sample of each. */
export interface Watched {
  readonly failures: readonly unknown[]
  /** Why no news of containers come any more. */
  readonly lost: unknown
  /** Resolves when every container that was there has given a sample, or failed. */
  begun(): Promise<void>
  rows(): StatsRow[]
}

interface Entry {
  readonly container: string
  sample?: StatsSample | undefined
  gone: boolean
  readonly first: PromiseWithResolvers<void>
}

class Watch implements Watched {
  readonly failures: unknown[] = []
  lost: unknown
  readonly #client: Client
  readonly #stream: boolean
  readonly #entries = new Map<string, Entry>()

  constructor(client: Client, stream: boolean) {
    this.#client = client
    this.#stream = stream
  }

  rows(): StatsRow[] {
    return [...this.#entries.values()].map(({ container, sample }) => ({ container, sample }))
  }

  async begun(): Promise<void> {
    await Promise.all([...this.#entries.values()].map(({ first }) => first.promise))
  }

  add(container: string): void {
    if (this.#entries.has(container)) return
    const entry: Entry = { container, gone: false, first: Promise.withResolvers() }
    this.#entries.set(container, entry)
    void this.#follow(entry)
  }

  remove(container: string): void {
    const entry = this.#entries.get(container)
    if (entry === undefined) return
    entry.gone = true
    this.#entries.delete(container)
  }

  async #follow(entry: Entry): Promise<void> {
    try {
      const answer = await this.#client.stream('GET', `/containers/${entry.container}/stats`, { query: { stream: this.#stream ? 1 : 0 } })
      for await (const sample of answer.lines<StatsSample>()) {
        if (entry.gone) return
        entry.sample = sample
        entry.first.resolve()
      }
      if (this.#stream) entry.sample = undefined
    } catch (error) {
      // One that is shown by its own name is the user's mistake; others come and go.
      if (!entry.gone) this.failures.push(error)
      this.remove(entry.container)
    } finally {
      entry.first.resolve()
    }
  }
}

/** Watches containers that the user has named. */
export function followNamed(client: Client, containers: readonly string[], stream: boolean): Watched {
  const watch = new Watch(client, stream)
  for (const container of containers) watch.add(container)
  return watch
}

interface ContainerEvent {
  readonly Action: string
  readonly Actor: { readonly ID: string }
}

/** Watches every container that runs (with `all`: that there is), also those that come later when it goes on. */
export async function followAll(client: Client, all: boolean, stream: boolean): Promise<Watched> {
  const watch = new Watch(client, stream)
  // Asked for before the list, so that nothing falls between the two.
  if (stream) {
    const events = await client.stream('GET', '/events', { query: { filters: { type: { container: true } } } })
    void follow(watch, events.lines<ContainerEvent>(), all)
  }
  const { body } = await client.request<{ Id: string }[]>('GET', '/containers/json', { query: { all: all ? 1 : undefined } })
  for (const { Id } of body) watch.add(Id)
  return watch
}

async function follow(watch: Watch, events: AsyncIterable<ContainerEvent>, all: boolean): Promise<void> {
  try {
    for await (const { Action, Actor } of events) {
      if (Action === 'start' || (all && Action === 'create')) watch.add(Actor.ID)
      else if (Action === 'destroy' || (!all && Action === 'die')) watch.remove(Actor.ID)
    }
    watch.lost = 'ended'
  } catch (error) {
    watch.lost = error
  }
}
