import type { Client } from '@engine/api/client'

/** Something that a client asks for, and that the daemon's death may break off anywhere. */
export interface Operation {
  readonly name: string
  /** Makes what has to be there before; returns the work itself, which fails when the daemon dies. */
  prepare(client: Client): Promise<() => Promise<unknown>>
}

/** Several at once, so that one death meets several moments of the operation. */
const abreast = 3

/** The same work several times at once. */
export async function severally(make: (index: number) => Promise<() => Promise<unknown>>): Promise<() => Promise<unknown>> {
  const works = await Promise.all(Array.from({ length: abreast }, (_, index) => make(index)))
  return () => Promise.all(works.map((work) => work()))
}
