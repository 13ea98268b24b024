import type { TracedValue } from '@engine/linux'

const environment = /^env(p|iron|ironment)?$/i
const secret = /([A-Za-z0-9_.-]*(?:password|passwd|secret|token|credential|api[_-]?key|private[_-]?key)[A-Za-z0-9_.-]*)=[^,\s]+/gi

/**
 * Arguments of a kernel action without what must not be stored: the values of environment variables, and of anything that is
 * named like a secret (`password=…` among the options of a mount).
 */
export function redact(args: Readonly<Record<string, TracedValue>>): Record<string, TracedValue> {
  const kept: Record<string, TracedValue> = {}
  for (const [name, value] of Object.entries(args)) {
    if (typeof value !== 'string') kept[name] = value
    else if (environment.test(name)) kept[name] = value.replace(/(^|\s)([^\s=]+)=\S*/g, '$1$2=***')
    else kept[name] = value.includes('=') ? value.replace(secret, '$1=***') : value
  }
  return kept
}
