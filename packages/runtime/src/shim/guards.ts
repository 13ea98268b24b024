import { EngineError } from '@engine/linux'
import type { ProcessEnd } from '@engine/linux/wait'
import type { OciProcess, OciSpec } from '../spec.ts'
import type { AdoptRequest } from './client-types.ts'
import type { ExecRequest, OciRuntime, ProcessKey, StartRequest } from './messages.ts'

/** A request from engined, seen to be of the right form. */
export type ShimRequest =
  | { readonly method: 'start'; readonly params: StartRequest }
  | { readonly method: 'exec'; readonly params: ExecRequest }
  | { readonly method: 'adopt'; readonly params: AdoptRequest }
  | { readonly method: 'closeStdin' | 'terminal' | 'share' | 'release'; readonly params: ProcessKey }
  | { readonly method: 'resize'; readonly params: ProcessKey & { readonly rows: number; readonly columns: number } }
  | { readonly method: 'list' | 'renounce' }
  | { readonly method: 'inbox'; readonly params: { readonly socket: number } }
  | { readonly method: 'upgrade'; readonly params: { readonly path: string } }

type Fields = Readonly<Record<string, unknown>>

const ID = /^[0-9a-f]{64}$/
const TICKS = /^\d{1,20}$/

function invalid(what: string): EngineError {
  return new EngineError('invalid-argument', `a message's ${what} is not what it should be`)
}

function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(what)
  return value as Fields
}

function text(value: unknown, what: string, form?: RegExp): string {
  if (typeof value !== 'string' || value.includes('\0') || (form !== undefined && !form.test(value))) throw invalid(what)
  return value
}

function path(value: unknown, what: string): string {
  const checked = text(value, what)
  if (!checked.startsWith('/') || checked.length > 4095) throw invalid(what)
  return checked
}

function integer(value: unknown, what: string, minimum: number, maximum: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) throw invalid(what)
  return value
}

function flag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw invalid(what)
  return value
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(what)
  return value as readonly unknown[]
}

function texts(value: unknown, what: string): void {
  for (const item of list(value, what)) text(item, what)
}

function key(params: Fields): ProcessKey {
  const container = text(params['container'], 'container', ID)
  return params['exec'] === undefined ? { container } : { container, exec: text(params['exec'], 'exec', ID) }
}

/** What the code of a birth relies on without asking again. */
function process(value: unknown): OciProcess {
  const process = fields(value, 'process')
  flag(process['terminal'], 'process.terminal')
  const user = fields(process['user'], 'process.user')
  for (const name of ['uid', 'gid']) integer(user[name], `process.user.${name}`, 0, 0xffff_fffe)
  for (const gid of list(user['additionalGids'], 'process.user.additionalGids')) integer(gid, 'process.user.additionalGids', 0, 0xffff_fffe)
  texts(process['args'], 'process.args')
  texts(process['env'], 'process.env')
  text(process['cwd'], 'process.cwd')
  const capabilities = fields(process['capabilities'], 'process.capabilities')
  for (const set of ['bounding', 'effective', 'permitted', 'inheritable', 'ambient']) texts(capabilities[set], `process.capabilities.${set}`)
  for (const limit of list(process['rlimits'], 'process.rlimits')) text(fields(limit, 'process.rlimits')['type'], 'process.rlimits')
  flag(process['noNewPrivileges'], 'process.noNewPrivileges')
  if (process['consoleSize'] !== undefined) {
    const size = fields(process['consoleSize'], 'process.consoleSize')
    for (const name of ['height', 'width']) integer(size[name], `process.consoleSize.${name}`, 0, 0xffff)
  }
  return value as OciProcess
}

function spec(value: unknown): OciSpec {
  const spec = fields(value, 'spec')
  process(spec['process'])
  path(fields(spec['root'], 'spec.root')['path'], 'spec.root.path')
  for (const mount of list(spec['mounts'], 'spec.mounts')) {
    const checked = fields(mount, 'spec.mounts')
    for (const name of ['destination', 'type', 'source']) text(checked[name], `spec.mounts.${name}`)
    texts(checked['options'], 'spec.mounts.options')
  }
  const linux = fields(spec['linux'], 'spec.linux')
  path(linux['cgroupsPath'], 'spec.linux.cgroupsPath')
  fields(linux['resources'], 'spec.linux.resources')
  for (const namespace of list(linux['namespaces'], 'spec.linux.namespaces')) text(fields(namespace, 'spec.linux.namespaces')['type'], 'spec.linux.namespaces')
  for (const device of list(linux['devices'], 'spec.linux.devices')) text(fields(device, 'spec.linux.devices')['path'], 'spec.linux.devices')
  mappings(linux['uidMappings'], 'spec.linux.uidMappings')
  mappings(linux['gidMappings'], 'spec.linux.gidMappings')
  texts(linux['maskedPaths'], 'spec.linux.maskedPaths')
  texts(linux['readonlyPaths'], 'spec.linux.readonlyPaths')
  return value as OciSpec
}

function mappings(value: unknown, what: string): void {
  for (const mapping of list(value ?? [], what)) for (const name of ['containerID', 'hostID', 'size']) integer(fields(mapping, what)[name], `${what}.${name}`, 0, 0xffff_ffff)
}

function runtime(value: unknown): { readonly runtime?: OciRuntime } {
  if (value === undefined) return {}
  const given = fields(value, 'runtime')
  texts(given['args'], 'runtime.args')
  return { runtime: { path: path(given['path'], 'runtime.path'), args: given['args'] as string[], root: path(given['root'], 'runtime.root') } }
}

function streams(params: Fields): Omit<StartRequest, 'spec'> {
  const filter = params['seccompFilter']
  return {
    ...key(params),
    runDirectory: path(params['runDirectory'], 'runDirectory'),
    directory: path(params['directory'], 'directory'),
    stdin: flag(params['stdin'], 'stdin'),
    ...(filter === undefined ? {} : { seccompFilter: path(filter, 'seccompFilter') }),
    ...(params['seccompFlags'] === undefined ? {} : { seccompFlags: integer(params['seccompFlags'], 'seccompFlags', 0, 0xff) }),
    ...(params['silent'] === true ? { silent: true as const } : {}),
  }
}

function living(params: Fields): { readonly pid: number; readonly startTime: string; readonly cgroupsPath: string } {
  return {
    pid: integer(params['pid'], 'pid', 1, 0x7fff_ffff),
    startTime: text(params['startTime'], 'startTime', TICKS),
    cgroupsPath: path(params['cgroupsPath'], 'cgroupsPath'),
  }
}

function told({ told: end }: Fields): { readonly told?: ProcessEnd } {
  if (end === undefined) return {}
  const { code, signal } = fields(end, 'told')
  return { told: signal === undefined ? { code: integer(code, 'told.code', 0, 0xff) } : { signal: integer(signal, 'told.signal', 1, 0x7f) } }
}

function descriptor(params: Fields, name: 'master' | 'pidfd'): { readonly [name: string]: number } {
  return params[name] === undefined ? {} : { [name]: integer(params[name], name, 0, 0x7fff_ffff) }
}

/** The id of a request, so that it can be answered even if the rest is wrong. @throws EngineError invalid-argument */
export function requestId(message: unknown): number {
  return integer(fields(message, 'form')['id'], 'id', 0, Number.MAX_SAFE_INTEGER)
}

/**
 * Checks the form of a request. Only root can send one, so this is against mistakes and other versions, not against attackers.
 * @throws EngineError invalid-argument naming the part that is wrong
 */
export function parseRequest(message: unknown): ShimRequest {
  const request = fields(message, 'form')
  const method = text(request['method'], 'method')
  if (method === 'list' || method === 'renounce') return { method }
  const params = fields(request['params'], 'params')
  switch (method) {
    case 'start': {
      if (params['exec'] !== undefined) throw invalid('exec')
      return { method, params: { ...streams(params), spec: spec(params['spec']), ...runtime(params['runtime']) } }
    }
    case 'exec': {
      if (params['exec'] === undefined) throw invalid('exec')
      return { method, params: { ...streams(params), ...living(params), process: process(params['process']) } }
    }
    case 'adopt': {
      const { seccompFilter: _, seccompFlags: _flags, silent: _silent, ...held } = streams(params)
      return { method, params: { ...held, ...living(params), ...descriptor(params, 'master'), ...descriptor(params, 'pidfd'), ...told(params) } }
    }
    case 'closeStdin':
    case 'terminal':
    case 'share':
    case 'release':
      return { method, params: key(params) }
    case 'resize':
      return { method, params: { ...key(params), rows: integer(params['rows'], 'rows', 0, 0xffff), columns: integer(params['columns'], 'columns', 0, 0xffff) } }
    case 'inbox':
      return { method, params: { socket: integer(params['socket'], 'socket', 0, 0x7fff_ffff) } }
    case 'upgrade':
      return { method, params: { path: path(params['path'], 'path') } }
    default:
      throw new EngineError('not-implemented', `this shim knows no method ${JSON.stringify(method)}`)
  }
}
