import { constants } from 'node:os'

/** SIGRTMIN and SIGRTMAX as programs may use them (glibc takes the first two). */
const realTime = { min: 34, max: 64 }

/** Whether STOPSIGNAL's word is a signal: a number above 0, `KILL`, `SIGKILL`, `RTMIN+3`, in any case. */
export function isSignal(word: string): boolean {
  if (/^[+-]?\d+$/.test(word)) return Number(word) !== 0
  const name = word.toUpperCase().replace(/^SIG/, '')
  if (`SIG${name}` in constants.signals) return true
  const [, end, sign, distance = '0'] = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name) ?? []
  if (end === undefined || (sign !== undefined && (sign === '+') !== (end === 'MIN'))) return false
  return Number(distance) <= realTime.max - realTime.min
}
