import { EngineError } from '@engine/linux'
import type { SeccompAction } from '../spec.ts'
import type { Profile, ProfileCondition, ProfileRule } from './profile.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * Reads a seccomp profile's JSON. Unknown fields are passed over, as Go does; names are matched exactly.
 * @throws EngineError invalid-argument: `Decoding seccomp profile failed: …`
 */
export function parseProfileJson(json: string): Profile {
  const root = object(decode(json), 'Seccomp', '')
  const errno = optional(root.defaultErrnoRet, (value) => natural(value, 'defaultErrnoRet'))
  return {
    defaultAction: (optional(root.defaultAction, (value) => text(value, 'defaultAction')) ?? '') as SeccompAction | '',
    ...(errno === undefined ? {} : { defaultErrnoRet: errno }),
    architectures: texts(root.architectures, 'architectures'),
    archMap: list(root.archMap, 'archMap').map((entry) => {
      const fields = object(entry, 'Architecture', 'archMap')
      return { architecture: text(fields.architecture ?? '', 'archMap.architecture'), subArchitectures: texts(fields.subArchitectures, 'archMap.subArchitectures') }
    }),
    // Absent is not the same as empty: see filterFlags.
    ...(root.flags === undefined || root.flags === null ? {} : { flags: texts(root.flags, 'flags') }),
    syscalls: list(root.syscalls, 'syscalls').map(rule),
  }
}

function decode(json: string): unknown {
  if (json.trim() === '') throw failed('unexpected end of JSON input')
  try {
    return JSON.parse(json)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : ''
    const position = Number(/position ([0-9]+)/.exec(message)?.[1] ?? json.length)
    // Go's words, which clients show.
    const ended = position >= json.trimEnd().length || message.startsWith('Unterminated string')
    throw failed(ended ? 'unexpected end of JSON input' : `invalid character ${JSON.stringify(json[position])} at offset ${position}`, cause)
  }
}

function rule(entry: unknown): ProfileRule {
  const fields = object(entry, 'Syscall', 'syscalls')
  const name = optional(fields.name, (value) => text(value, 'syscalls.name'))
  const errnoRet = optional(fields.errnoRet, (value) => natural(value, 'syscalls.errnoRet'))
  const args = list(fields.args, 'syscalls.args').map((value) => {
    const argument = object(value, 'LinuxSeccompArg', 'syscalls.args')
    return {
      index: natural(argument.index ?? 0, 'syscalls.args.index'),
      value: natural(argument.value ?? 0, 'syscalls.args.value'),
      valueTwo: natural(argument.valueTwo ?? 0, 'syscalls.args.valueTwo'),
      op: text(argument.op ?? '', 'syscalls.args.op'),
    }
  })
  return {
    ...(name === undefined ? {} : { name }),
    names: texts(fields.names, 'syscalls.names'),
    action: text(fields.action ?? '', 'syscalls.action') as SeccompAction,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    ...(args.length === 0 ? {} : { args }),
    ...condition('includes', fields.includes),
    ...condition('excludes', fields.excludes),
  }
}

function condition<Name extends 'includes' | 'excludes'>(name: Name, value: unknown): { readonly [key in Name]?: ProfileCondition } {
  if (value === undefined || value === null) return {}
  const fields = object(value, 'Filter', `syscalls.${name}`)
  const minKernel = optional(fields.minKernel, (version) => text(version, `syscalls.${name}.minKernel`))
  if (minKernel !== undefined && minKernel !== '' && !/^[0-9]+\.[0-9]+$/.test(minKernel)) {
    throw failed(`invalid kernel version: ${JSON.stringify(minKernel)}, expected "<kernel>.<major>"`)
  }
  const filter: ProfileCondition = {
    caps: texts(fields.caps, `syscalls.${name}.caps`),
    arches: texts(fields.arches, `syscalls.${name}.arches`),
    ...(minKernel === undefined || minKernel === '' ? {} : { minKernel }),
  }
  return { [name]: filter } as { readonly [key in Name]?: ProfileCondition }
}

function failed(message: string, cause?: unknown): EngineError {
  return new EngineError('invalid-argument', `Decoding seccomp profile failed: ${message}`, { cause })
}

/** As Go's decoder says it: `json: cannot unmarshal number into Go struct field Seccomp.defaultAction of type string`. */
function mismatch(value: unknown, field: string, type: string): EngineError {
  const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value
  return failed(field === '' ? `json: cannot unmarshal ${found} into Go value of type ${type}` : `json: cannot unmarshal ${found} into Go struct field Seccomp.${field} of type ${type}`)
}

function object(value: unknown, type: string, field: string): Json {
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(value, field, `seccomp.${type}`)
  return value as Json
}

function list(value: unknown, field: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw mismatch(value, field, '[]')
  return value as readonly unknown[]
}

function texts(value: unknown, field: string): string[] {
  return list(value, field).map((entry) => text(entry, field))
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw mismatch(value, field, 'string')
  return value
}

function natural(value: unknown, field: string): number {
  if (typeof value !== 'number') throw mismatch(value, field, 'uint')
  if (!Number.isInteger(value) || value < 0) throw failed(`json: cannot unmarshal number ${value} into Go struct field Seccomp.${field} of type uint`)
  return value
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}
