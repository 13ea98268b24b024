import { readReference } from '../arguments/image-reference.ts'
import { readConfigFile, type AuthConfig, type ConfigFile } from './config-file.ts'
import { helperErase, helperGet, helperStore } from './credential-helper.ts'

/** Docker Hub's name in the configuration. */
const hubServer = 'https://index.docker.io/v1/'

/** What helpers call an identity token's user. */
const tokenUser = '<token>'

/** The server that credentials for an image's name are kept under. */
export function serverOf(image: string): string {
  const { repository } = readReference(image.replace(/@.*$/, ''))
  const host = repository.slice(0, repository.indexOf('/'))
  return host === 'docker.io' ? hubServer : host
}

/** The server that somebody logs in to or out of: its host, whatever scheme and path it is written with. */
export function serverOfLogin(given: string | undefined): string {
  const host = hostOf(given ?? '')
  return host === '' || host === 'docker.io' || host === hostOf(hubServer) ? hubServer : host
}

/** The headers by which the daemon can log in for this image; without a login an empty configuration, as docker sends. */
export async function registryHeaders(image: string): Promise<Readonly<Record<string, string>>> {
  const found = await findCredentials(serverOf(image))
  return { 'x-registry-auth': Buffer.from(JSON.stringify(found ?? {})).toString('base64url') }
}

/** The header by which a build can log in wherever its images come from: everything that is known. */
export async function allRegistriesHeader(): Promise<Readonly<Record<string, string>>> {
  const file = readConfigFile()
  const servers = [...new Set([...Object.keys(file.auths), ...Object.keys(file.credHelpers)])]
  const found = await Promise.all(servers.map(async (server) => [server, await findCredentials(server, file).catch(() => undefined)] as const))
  const known = found.filter(([, credentials]) => credentials !== undefined)
  return known.length === 0 ? {} : { 'x-registry-config': Buffer.from(JSON.stringify(Object.fromEntries(known))).toString('base64url') }
}

/** What is known for a server: from its helper, from the store of all, or from the file. */
export async function findCredentials(server: string, file: ConfigFile = readConfigFile()): Promise<AuthConfig | undefined> {
  const helper = helperOf(file, server)
  if (helper !== undefined) {
    const found = await helperGet(helper, server)
    if (found === undefined) return undefined
    return found.username === tokenUser ? { identitytoken: found.secret, serveraddress: server } : { username: found.username, password: found.secret, serveraddress: server }
  }
  const entry = file.auths[server] ?? Object.entries(file.auths).find(([key]) => hostOf(key) === hostOf(server))?.[1]
  if (entry === undefined) return undefined
  const { auth, ...rest } = entry
  const [username = '', ...password] = Buffer.from(auth ?? '', 'base64').toString('utf8').split(':')
  return { ...(username === '' ? {} : { username, password: password.join(':').replace(/\0+$/, '') }), ...rest, serveraddress: server }
}

/** Keeps what a login was made with. @returns whether it lies in the file, readable by whoever reads that */
export async function storeCredentials(server: string, given: { readonly username: string; readonly password: string; readonly identityToken: string }): Promise<{ readonly path: string; readonly isPlain: boolean }> {
  const file = readConfigFile()
  const helper = helperOf(file, server)
  const { username, password, identityToken } = given
  if (helper === undefined) {
    // With a token the password is not needed any more.
    const auth = Buffer.from(`${username}:${identityToken === '' ? password : ''}`).toString('base64')
    file.saveAuths({ ...file.auths, [server]: { auth, ...(identityToken === '' ? {} : { identitytoken: identityToken }) } })
    return { path: file.path, isPlain: true }
  }
  if (identityToken === '') await helperStore(helper, server, username, password)
  else await helperStore(helper, server, tokenUser, identityToken)
  file.saveAuths({ ...file.auths, [server]: {} })
  return { path: file.path, isPlain: false }
}

export async function eraseCredentials(server: string): Promise<void> {
  const file = readConfigFile()
  const helper = helperOf(file, server)
  if (helper !== undefined) await helperErase(helper, server)
  const left = Object.entries(file.auths).filter(([key]) => key !== server && hostOf(key) !== hostOf(server))
  if (left.length < Object.keys(file.auths).length) file.saveAuths(Object.fromEntries(left))
}

function helperOf({ credHelpers, credsStore }: ConfigFile, server: string): string | undefined {
  return credHelpers[server] ?? credHelpers[hostOf(server)] ?? credsStore
}

/** Entries of old have a scheme and a path. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').split('/')[0] ?? ''
}
