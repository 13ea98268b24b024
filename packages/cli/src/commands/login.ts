import { onOff, text } from '../arguments/flag.ts'
import { ApiError } from '../connection/client.ts'
import { findCredentials, serverOfLogin, storeCredentials } from '../registries/credentials.ts'
import { isTerminal, print, printError } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'
import type { Client } from '../connection/client.ts'

export const command = defineCommand({
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry',
  examples: [['pass show registry | engine login -u me --password-stdin registry.example.com', 'the password is in no list of processes']],
  flags: {
    password: text('Password or Personal Access Token (PAT)', { short: 'p' }),
    'password-stdin': onOff('Take the Password or Personal Access Token (PAT) from stdin'),
    username: text('Username', { short: 'u' }),
  },
  args: [0, 1],
  async run({ flags, args: [given] }, { client }) {
    const server = serverOfLogin(given)
    const username = flags.username ?? ''
    const password = await passwordOf(flags, username)
    if (username === '' && password === '' && (await byExisting(client, server))) return 0
    const asked = username !== '' && password !== '' ? { username, password } : await ask(username, password)
    const { IdentityToken: identityToken } = await logIn(client, { ...asked, serveraddress: server })
    const { path, isPlain } = await storeCredentials(server, { ...asked, identityToken })
    if (isPlain) printError(`\nWARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`)
    print('Login Succeeded\n')
    return 0
  },
})

interface Answer {
  readonly Status: string
  readonly IdentityToken: string
}

async function logIn(client: Client, body: object): Promise<Answer> {
  return (await client.request<Answer>('POST', '/auth', { body })).body
}

async function passwordOf(flags: { readonly password: string | undefined; readonly 'password-stdin': boolean }, username: string): Promise<string> {
  if (flags.password !== undefined) {
    printError('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n')
    if (flags['password-stdin']) throw new CommandError('conflicting options: cannot specify both --password and --password-stdin')
    return flags.password
  }
  if (!flags['password-stdin']) return ''
  if (username === '') throw new CommandError('the --password-stdin option requires --username to be set')
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8').replace(/\r?\n$/, '')
}

/** @returns whether what is kept from an earlier login still serves */
async function byExisting(client: Client, server: string): Promise<boolean> {
  const known = await findCredentials(server)
  if (known === undefined || (!known.username && !known.identitytoken)) return false
  printError(`Authenticating with existing credentials...${known.username ? ` [Username: ${known.username}]` : ''}\n\n Info -> To login with a different account, run 'engine logout' followed by 'engine login'\n\n\n`)
  try {
    await logIn(client, known)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    printError(`Login did not succeed, error: ${error.message}\n`)
    return false
  }
  print('Login Succeeded\n')
  return true
}

async function ask(username: string, password: string): Promise<{ readonly username: string; readonly password: string }> {
  if (!isTerminal(0)) throw new CommandError('Error: Cannot perform an interactive login from a non TTY device')
  const { askLine } = await import('../terminal/ask.ts')
  const name = username === '' ? (await askLine('Username: ', true)).trim() : username
  if (name === '') throw new CommandError('Error: Non-null Username Required')
  const secret = password === '' ? await askLine('Password: ', false) : password
  if (secret === '') throw new CommandError('Error: Password Required')
  return { username: name, password: secret }
}
