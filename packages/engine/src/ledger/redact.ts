import type { TracedValue } from '@engine/linux'

const environment = /^env(p|iron|ironment)?$/i
const secret = /([A-Za-z0-9_.-]*(?:password|passwd|secret|token|credential|api[_-]?key|private[_-]?key)[A-Za-z0-9_.-]*)=[^,\s]+/gi

/**
 * Arguments of a kernel action without what must not be stored: the values of environment variables, and of anything that is
 * named like a secret (`password=…` among the options of a mount).
 * @returns the same object when there is nothing of the kind
 */
export function redact(args: Readonly<Record<string, TracedValue>>): Readonly<Record<string, TracedValue>> {
  let kept: Record<string, TracedValue> | undefined
  for (const name in args) {
    const value = args[name]
    if (typeof value !== 'string' || !value.includes('=')) continue
    const safe = environment.test(name) ? value.replace(/(^|\s)([^\s=]+)=\S*/g, '$1$2=***') : value.replace(secret, '$1=***')
    if (safe !== value) (kept ??= { ...args })[name] = safe
  }
  return kept ?? args
}
