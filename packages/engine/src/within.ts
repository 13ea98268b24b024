/** Whether a promise resolves within so many milliseconds; a negative number waits for ever. */
export async function within(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  if (milliseconds < 0) {
    await promise
    return true
  }
  const timeout = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => timeout.resolve(false), Math.min(milliseconds, 2_147_483_647))
  try {
    return await Promise.race([promise.then(() => true), timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}
