/** The first descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST = 3

let passed: readonly number[] | undefined

/**
 * Descriptors of the sockets that systemd listens on for us. Their number is taken from the environment once, and away from it: children
 * must not believe that they are meant.
 */
export function passedSockets(): readonly number[] {
  if (passed !== undefined) return passed
  const { LISTEN_PID, LISTEN_FDS } = process.env
  const count = Number(LISTEN_PID) === process.pid && /^\d+$/.test(LISTEN_FDS ?? '') ? Number(LISTEN_FDS) : 0
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[name]
  passed = Array.from({ length: count }, (_, index) => FIRST + index)
  return passed
}
