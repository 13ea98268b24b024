/**
 * Works that are all wanted: when one fails, the others are broken off, and what is thrown is why that one did, not that they were.
 * @param work is given a signal that is also `signal`'s
 * @returns their results in the order of the items, once all have ended
 */
export async function allOrNone<Item, Result>(items: readonly Item[], signal: AbortSignal, work: (item: Item, signal: AbortSignal) => Promise<Result>): Promise<Result[]> {
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const results = await Promise.allSettled(items.map(async (item) => {
    try {
      return await work(item, either)
    } catch (error) {
      failed.abort()
      throw error
    }
  }))
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  const isOwn = (error: unknown): boolean => !(error instanceof Error && 'code' in error && error.code === 'cancelled')
  if (failures.length > 0) throw failures.find(isOwn) ?? failures[0]
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}
