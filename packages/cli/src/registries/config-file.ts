import { randomUUID } from 'node:crypto'
import { chownSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** Credentials as the docker command's file and the API have them. */
export interface AuthConfig {
  readonly username?: string
  readonly password?: string
  readonly auth?: string
  readonly identitytoken?: string
  readonly registrytoken?: string
  readonly serveraddress?: string
}

/** The docker command's configuration, as far as it is about registries; other keys are kept as they are. */
export interface ConfigFile {
  readonly path: string
  readonly auths: Readonly<Record<string, AuthConfig>>
  readonly credsStore: string | undefined
  readonly credHelpers: Readonly<Record<string, string>>
  /** Writes the file with other `auths`. */
  saveAuths(auths: Readonly<Record<string, AuthConfig>>): void
}

/**
 * Reads the docker command's configuration, `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`: logins made with either command
 * serve both.
 * @throws Error for a file that is no JSON object
 */
export function readConfigFile(environment: Readonly<Record<string, string | undefined>> = process.env): ConfigFile {
  const path = join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json')
  const all = read(path)
  return {
    path,
    auths: entries<AuthConfig>(all['auths'], isObject),
    credsStore: typeof all['credsStore'] === 'string' && all['credsStore'] !== '' ? all['credsStore'] : undefined,
    credHelpers: entries<string>(all['credHelpers'], (value) => typeof value === 'string'),
    saveAuths: (auths) => write(path, { ...all, auths }),
  }
}

function read(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return {}
    throw new Error(`loading config file: ${path}: ${message}`, { cause: error })
  }
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (error) {
    throw new Error(`loading config file: ${path}: ${(error as Error).message}`, { cause: error })
  }
  throw new Error(`loading config file: ${path}: it holds no JSON object`)
}

/**
 * Beside, flushed and renamed: a broken-off command or a power cut leaves the old file. A link stays one, and the file its owner's, when
 * root writes it for somebody else (sudo); nobody but the owner reads it.
 */
function write(path: string, value: object): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const target = resolved(path)
  const before = statSync(target, { throwIfNoEntry: false })
  const temporary = `${target}.${randomUUID()}`
  try {
    writeFileSync(temporary, JSON.stringify(value, undefined, '\t'), { mode: 0o600, flag: 'wx', flush: true })
    if (before !== undefined && before.uid !== process.getuid?.()) chownSync(temporary, before.uid, before.gid)
    renameSync(temporary, target)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

function resolved(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

function entries<T>(value: unknown, isRight: (one: unknown) => boolean): Record<string, T> {
  return isObject(value) ? (Object.fromEntries(Object.entries(value).filter(([, one]) => isRight(one))) as Record<string, T>) : {}
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
