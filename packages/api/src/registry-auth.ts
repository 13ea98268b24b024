import * as z from 'zod'
import { RequestError } from './errors.ts'

/** Credentials for one registry, as X-Registry-Auth carries them. Secrets: never log one. */
export const AuthConfig = z.object({
  username: z.string().optional(),
  password: z.string().optional(),
  auth: z.string().optional(),
  email: z.string().optional(),
  serveraddress: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
})

export type AuthConfig = z.infer<typeof AuthConfig>

/**
 * Reads an X-Registry-Auth header: base64url of JSON. docker-modem sends standard base64 with the two letters exchanged and keeps the
 * padding, others send plain base64: both alphabets are taken, padded or not. An absent header is no credentials at all.
 * @throws RequestError 400
 */
export function readRegistryAuth(header: string | undefined): AuthConfig | undefined {
  const decoded = decode(header)
  if (decoded === undefined) return undefined
  const parsed = AuthConfig.safeParse(decoded)
  if (!parsed.success) throw new RequestError('invalid X-Registry-Auth header: not an auth configuration')
  return Object.keys(parsed.data).length === 0 ? undefined : parsed.data
}

/**
 * Reads an X-Registry-Config header of a build: credentials by registry, in the same encoding.
 * @throws RequestError 400
 */
export function readRegistryConfig(header: string | undefined): ReadonlyMap<string, AuthConfig> {
  const decoded = decode(header)
  if (decoded === undefined) return new Map()
  const parsed = z.record(z.string(), AuthConfig).safeParse(decoded)
  if (!parsed.success) throw new RequestError('invalid X-Registry-Config header: not a map of auth configurations')
  return new Map(Object.entries(parsed.data))
}

function decode(header: string | undefined): unknown {
  if (header === undefined || header === '') return undefined
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(header)) throw new RequestError('invalid X-Registry-Auth header: not base64')
  try {
    // Node's 'base64' takes both alphabets.
    const value: unknown = JSON.parse(Buffer.from(header, 'base64').toString('utf8'))
    return value ?? undefined
  } catch {
    throw new RequestError('invalid X-Registry-Auth header: not JSON')
  }
}
