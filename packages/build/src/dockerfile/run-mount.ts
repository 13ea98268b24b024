import { EngineError } from '@engine/linux'
import { quote } from './go-text.ts'
import { didYouMean } from './suggest.ts'

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh'
export type CacheSharing = 'shared' | 'private' | 'locked'

/** One `--mount` of RUN, read. */
export interface RunMount {
  readonly type: MountType
  /** A stage, an image or a named context; empty is the build context (bind) or nothing (cache). */
  readonly from: string
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  readonly id: string
  readonly sharing: CacheSharing
  readonly required: boolean
  /** Bytes; undefined is half of the memory. */
  readonly size: number | undefined
  readonly mode: number | undefined
  readonly uid: number
  readonly gid: number
  /** A secret: name of the variable that gets it; undefined is none. */
  readonly env: string | undefined
}

const types: readonly string[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh']
const sharings: readonly string[] = ['shared', 'private', 'locked']
const keys = ['type', 'from', 'source', 'src', 'target', 'dst', 'destination', 'readonly', 'ro', 'readwrite', 'rw', 'required', 'id', 'sharing', 'mode', 'uid', 'gid', 'size', 'env'] as const

/**
 * Reads one `--mount`: comma-separated fields as CSV has them.
 * @param expand expands variables in a field's value; without it values that hold any are not checked
 * @throws EngineError invalid-argument with BuildKit's texts
 */
export function parseRunMount(text: string, expand?: (value: string) => string): RunMount {
  const fields = splitCsv(text)
  const given: Draft = { type: typeOf(fields, expand), readOnly: undefined, values: new Map() }
  for (const field of fields) readField(given, field, expand)
  return finish(given)
}

interface Draft {
  readonly type: MountType
  readOnly: boolean | undefined
  readonly values: Map<string, string>
}

/** The type decides what other fields mean, wherever it stands. */
function typeOf(fields: readonly string[], expand: ((value: string) => string) | undefined): MountType {
  const field = fields.find((candidate) => candidate.toLowerCase().startsWith('type='))
  if (field === undefined) return 'bind'
  const value = expandValue(field.slice(5), expand).toLowerCase()
  if (!types.includes(value)) throw failure(`unsupported mount type ${quote(value)}`)
  return value as MountType
}

function readField(draft: Draft, field: string, expand: ((value: string) => string) | undefined): void {
  const equals = field.indexOf('=')
  const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase()
  if (equals < 0 && !['readonly', 'ro', 'readwrite', 'rw', 'required'].includes(key)) throw failure(`invalid field '${field}' must be a key=value pair`)
  if (!(keys as readonly string[]).includes(key)) throw failure(`unexpected key '${key}' in '${field}'${didYouMean(key, keys, true)}`)
  if (key === 'required' && draft.type !== 'secret' && draft.type !== 'ssh') throw failure(`unexpected key '${key}' for mount type '${draft.type}'`)
  const value = equals < 0 ? 'true' : expandValue(field.slice(equals + 1), expand)
  if (key === 'readonly' || key === 'ro') draft.readOnly = truth(key, value)
  else if (key === 'readwrite' || key === 'rw') draft.readOnly = !truth(key, value)
  else draft.values.set(aliases[key] ?? key, value)
}

const aliases: Readonly<Record<string, string>> = { src: 'source', dst: 'target', destination: 'target' }

function finish({ type, readOnly, values }: Draft): RunMount {
  const text = (key: string): string => values.get(key) ?? ''
  const only = (key: string, ...allowed: readonly MountType[]): void => {
    if (values.has(key) && !allowed.includes(type)) throw failure(`${key} not allowed for ${quote(type)} type mounts`)
  }
  only('mode', 'secret', 'ssh', 'cache')
  only('uid', 'secret', 'ssh', 'cache')
  only('gid', 'secret', 'ssh', 'cache')
  only('size', 'tmpfs')
  only('env', 'secret')
  only('from', 'bind', 'cache')
  if (values.has('sharing') && type !== 'cache') throw failure(`invalid cache sharing set for ${type} mount`)
  const sharing = text('sharing').toLowerCase() || 'shared'
  if (!sharings.includes(sharing) && !sharing.includes('$')) throw failure(`unsupported sharing value ${quote(sharing)}`)
  if (type === 'secret' && readOnly === false) throw failure('secret mount cannot be writable')
  const target = text('target')
  if (target === '' && (type === 'bind' || type === 'cache' || type === 'tmpfs')) throw failure(`target is required for ${type} mounts`)
  return {
    type, target, sharing: sharing as CacheSharing,
    from: text('from'), source: text('source'), id: text('id'),
    readOnly: readOnly ?? (type !== 'cache' && type !== 'tmpfs'),
    required: values.has('required') && truth('required', text('required')),
    size: values.has('size') ? parseSize(text('size')) : undefined,
    mode: values.has('mode') ? number('mode', text('mode'), 8) : undefined,
    uid: values.has('uid') ? number('uid', text('uid'), 10) ?? 0 : 0,
    gid: values.has('gid') ? number('gid', text('gid'), 10) ?? 0 : 0,
    env: values.get('env'),
  }
}

function expandValue(value: string, expand: ((value: string) => string) | undefined): string {
  return expand === undefined ? value : expand(value)
}

function truth(key: string, value: string): boolean {
  if (value.includes('$')) return false
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)) return false
  throw failure(`invalid value for ${key}: ${value}`)
}

function number(key: string, value: string, base: 8 | 10): number | undefined {
  if (value.includes('$')) return undefined
  const valid = base === 8 ? /^[0-7]{1,6}$/.test(value) : /^\d{1,10}$/.test(value)
  const read = Number.parseInt(value, base)
  if (!valid || read >= 2 ** 32 - 1) throw failure(`invalid value ${value} for ${key}`)
  return base === 8 ? read & 0o7777 : read
}

/** `64m`, `1.5GiB`: docker/go-units RAMInBytes. */
function parseSize(value: string): number | undefined {
  if (value.includes('$')) return undefined
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?(?:i?b)?$/i.exec(value)
  if (match === null) throw failure(`invalid value for size: ${value}`)
  const power = match[2] === undefined ? 0 : 'kmgtp'.indexOf(match[2].toLowerCase()) + 1
  return Math.trunc(Number(match[1]) * 1024 ** power)
}

/** One record of encoding/csv: fields may be quoted, a quote in one is doubled. @throws EngineError invalid-argument */
export function splitCsv(text: string): string[] {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (text[at] === '"') {
      const match = /^"((?:[^"]|"")*)"(?=,|$)/.exec(text.slice(at))
      if (match === null) throw failure(`failed to parse csv mounts: ${quote(text)}`)
      fields.push((match[1] as string).replaceAll('""', '"'))
      at += match[0].length
    } else {
      const comma = text.indexOf(',', at)
      const field = text.slice(at, comma < 0 ? undefined : comma)
      if (field.includes('"')) throw failure(`failed to parse csv mounts: bare " in ${quote(text)}`)
      fields.push(field)
      at += field.length
    }
    if (at >= text.length) return fields
    at++
  }
}

function failure(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
