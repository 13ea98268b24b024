import { constants } from 'node:os'
import { EngineError } from '@engine/linux'

const byName = new Map<string, number>(Object.entries(constants.signals).map(([name, number]) => [name.slice(3), number]))
// glibc keeps 32 and 33 for itself; RTMIN as Docker counts it is 34.
const RTMIN = 34
const RTMAX = 64
byName.set('CLD', byName.get('CHLD') as number)
byName.set('RTMIN', RTMIN)
byName.set('RTMAX', RTMAX)
for (let i = 1; i <= 15; i++) byName.set(`RTMIN+${i}`, RTMIN + i)
for (let i = 1; i <= 14; i++) byName.set(`RTMAX-${i}`, RTMAX - i)

/**
 * The number of a signal given as Docker takes it: `TERM`, `SIGTERM`, `sigterm`, `15`. A number may be none that Linux has; see isSignal.
 * @throws EngineError invalid-argument `invalid signal: X`
 */
export function signalNumber(signal: string): number {
  if (/^-?\d+$/.test(signal)) {
    const number = Number(signal)
    if (number === 0) throw new EngineError('invalid-argument', `invalid signal: ${signal}`)
    return number
  }
  const number = byName.get(signal.toUpperCase().replace(/^SIG/, ''))
  if (number === undefined) throw new EngineError('invalid-argument', `invalid signal: ${signal}`)
  return number
}

/** Whether Linux has a signal of this number. */
export function isSignal(number: number): boolean {
  return number >= 1 && number <= RTMAX
}
