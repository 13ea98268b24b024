/** What proves to a registry who asks. Secrets: in no log, no ledger, no error. */
export interface Credentials {
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** Base64 of `username:password`; counts when there is no user name. */
  readonly auth?: string | undefined
  /** An OAuth refresh token, which a login gave. */
  readonly identitytoken?: string | undefined
  /** A bearer token to be sent as it is. */
  readonly registrytoken?: string | undefined
  readonly serveraddress?: string | undefined
}

/** User name and password, or undefined when there are none. */
export function userAndPassword({ username, password, auth }: Credentials): { readonly username: string; readonly password: string } | undefined {
  if (username) return { username, password: password ?? '' }
  if (!auth) return undefined
  const [name = '', ...rest] = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '').split(':')
  return name === '' || rest.length === 0 ? undefined : { username: name, password: rest.join(':') }
}

/** Value of an Authorization header. */
export function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}
