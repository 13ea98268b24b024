import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { errorText } from '../arguments/error-text.ts'
import type { Client } from '../connection/client.ts'
import { tarDirectory } from './directory.ts'
import { Ignore, readIgnoreFile } from './dockerignore.ts'
import { startKeyAgent } from './key-agent.ts'

/** What a build is given besides its context, as flags say it. */
export interface InputFlags {
  /** `id=x,src=file`, `id=x,env=NAME`, `type=file|env` */
  readonly secrets: readonly string[]
  /** `default`, `id=/path/of/agent` */
  readonly agents: readonly string[]
  /** By name: a directory, or an address. */
  readonly contexts: Readonly<Record<string, string>>
}

/** What the build's query then says. */
export interface SentInputs extends Disposable {
  readonly inputs: string | undefined
  readonly contexts: Readonly<Record<string, string>>
}

/**
 * Sends secrets, agents and directories ahead of their build. A secret is only ever in a request's body: never in an argument of a
 * process, nor in an address.
 * @throws Error with docker's texts
 */
export async function sendInputs(client: Client, flags: InputFlags): Promise<SentInputs> {
  const secrets = Object.fromEntries(flags.secrets.map((text) => readSecret(text, process.env)))
  using stack = new DisposableStack()
  const agents: Record<string, string> = {}
  for (const text of flags.agents) {
    const { id, socket, keys } = readAgent(text, client.host, process.env)
    agents[id] = socket ?? stack.use(await startKeyAgent(keys)).socket
  }
  const directories = Object.entries(flags.contexts).filter(([, value]) => !/^[a-z0-9-]+:\/\/|^git@|^github\.com\//.test(value))
  const contexts = { ...flags.contexts, ...Object.fromEntries(directories.map(([name]) => [name, 'input:'])) }
  if (Object.keys(secrets).length === 0 && Object.keys(agents).length === 0 && directories.length === 0) return { inputs: undefined, contexts, [Symbol.dispose]: () => undefined }
  const { body } = await client.request<{ readonly Id: string }>('POST', '/build/inputs', { body: { Secrets: secrets, Agents: agents } })
  for (const [name, path] of directories) {
    await client.request('PUT', `/build/inputs/${body.Id}`, { query: { context: name }, body: tarOf(name, path), headers: { 'content-type': 'application/x-tar' } })
  }
  const open = stack.move()
  return { inputs: body.Id, contexts, [Symbol.dispose]: () => open.dispose() }
}

/** @returns id and content, base64 */
export function readSecret(text: string, environment: NodeJS.ProcessEnv): [string, string] {
  const fields = readFields(text, ['type', 'id', 'source', 'src', 'env'], 'secret')
  const id = fields.get('id') ?? ''
  if (id === '') throw new Error('secret id is missing')
  const type = fields.get('type') ?? ''
  if (!['', 'file', 'env'].includes(type)) throw new Error(`unsupported secret type ${JSON.stringify(type)}`)
  const source = fields.get('source') ?? fields.get('src') ?? ''
  const variable = fields.get('env') ?? (type === 'env' ? source || id : type === '' && source === '' && environment[id] !== undefined ? id : '')
  if (variable !== '') return [id, Buffer.from(environment[variable] ?? '').toString('base64')]
  const path = source === '' ? id : source
  try {
    return [id, readFileSync(path).toString('base64')]
  } catch (error) {
    throw new Error(`could not parse secrets: [${text}]: failed to stat ${path}: stat ${path}: ${errorText(error)}`, { cause: error })
  }
}

/** What `--ssh` names: an agent, or private keys that one is started for. */
export interface AgentFlag {
  readonly id: string
  readonly socket: string | undefined
  readonly keys: readonly string[]
}

/** Reads `default`, `id=/path/of/agent`, `id=key1,key2`. The socket must be on the engine's own host. @throws Error with docker's texts */
export function readAgent(text: string, host: string, environment: NodeJS.ProcessEnv): AgentFlag {
  if (!host.startsWith('unix://')) throw new Error('SSH agents can be forwarded to an engine on this host only')
  const equals = text.indexOf('=')
  const id = (equals < 0 ? text : text.slice(0, equals)) || 'default'
  const paths = (equals < 0 ? environment['SSH_AUTH_SOCK'] ?? '' : text.slice(equals + 1)).split(',').filter((path) => path !== '')
  if (paths.length === 0) throw new Error('invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set')
  const missing = paths.find((path) => !existsSync(path))
  if (missing !== undefined) throw new Error(`could not parse ssh: [${text}]: stat ${missing}: no such file or directory`)
  const sockets = paths.filter((path) => statSync(path).isSocket())
  const [socket] = sockets
  if (socket === undefined) return { id, socket, keys: paths }
  if (paths.length > 1) throw new Error(`could not parse ssh: [${text}]: only single socket allowed`)
  return { id, socket: realpathSync(socket), keys: [] }
}

/** `name=value` of `--build-context`. */
export function readBuildContext(text: string): [string, string] {
  const equals = text.indexOf('=')
  if (equals <= 0) throw new Error(`invalid context value: ${text}, expected key=value`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}

function readFields(text: string, known: readonly string[], what: string): Map<string, string> {
  const fields = new Map<string, string>()
  for (const field of text.split(',')) {
    const equals = field.indexOf('=')
    if (equals < 0) throw new Error(`invalid field '${field}' must be a key=value pair`)
    const key = field.slice(0, equals).toLowerCase()
    if (!known.includes(key)) throw new Error(`unexpected key '${key}' in ${what}`)
    fields.set(key, field.slice(equals + 1))
  }
  return fields
}

function tarOf(name: string, path: string): Readable {
  if (!existsSync(path) || !statSync(path).isDirectory()) throw new Error(`failed to get build context ${name}: ${path} is no directory`)
  const root = realpathSync(path)
  const file = join(root, '.dockerignore')
  return Readable.from(tarDirectory(root, new Ignore(existsSync(file) ? readIgnoreFile(readFileSync(file, 'utf8')) : [])), { objectMode: false })
}
