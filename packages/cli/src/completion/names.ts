import type { Client } from '../connection/client.ts'

/** Things that have names. */
export type Kind = 'container' | 'image' | 'network' | 'volume'

/** Names of what the daemon has; none when it does not answer. */
export async function namesOf(client: Client, kind: Kind, { running = false }: { readonly running?: boolean }): Promise<string[]> {
  try {
    return await ask(client, kind, running)
  } catch {
    // A completion that fails has nothing to say.
    return []
  }
}

async function ask(client: Client, kind: Kind, running: boolean): Promise<string[]> {
  const get = async <T>(path: string, query: Readonly<Record<string, number | undefined>> = {}): Promise<T> => (await client.request<T>('GET', path, { query })).body
  switch (kind) {
    case 'container':
      return (await get<{ Names: string[] }[]>('/containers/json', { all: running ? undefined : 1 })).flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, '')))
    case 'image':
      return (await get<{ RepoTags: string[] | null }[]>('/images/json')).flatMap(({ RepoTags }) => RepoTags ?? []).filter((tag) => tag !== '<none>:<none>')
    case 'network':
      return (await get<{ Name: string }[]>('/networks')).map(({ Name }) => Name)
    case 'volume':
      return ((await get<{ Volumes: { Name: string }[] | null }>('/volumes')).Volumes ?? []).map(({ Name }) => Name)
  }
}
