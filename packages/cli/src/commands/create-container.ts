import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { ApiError, type Client } from '../connection/client.ts'
import { checkImageName, isImageId, withTag } from '../arguments/image-reference.ts'
import type { CreateBody } from '../container-options/create-body.ts'
import { terminalSize } from '../terminal/size.ts'
import { pullImage } from './pull-image.ts'
import { standardError, printError } from '../terminal/output.ts'

export interface CreateOptions {
  readonly name: string | undefined
  readonly platform: string | undefined
  /** "always", "missing" or "never". */
  readonly pull: string | undefined
  readonly quiet: boolean
  readonly cidfile: string | undefined
}

/**
 * Creates a container; pulls its image first where it is missing and may be pulled. Warnings go to standard error, the ID to the
 * cidfile.
 * @returns the ID
 * @throws ApiError, or Error with docker's text
 */
export async function createContainer(client: Client, body: CreateBody, options: CreateOptions): Promise<string> {
  using cidfile = claimCidfile(options.cidfile)
  checkImageName(body.Image)
  if (options.pull === 'always') await pull(client, body, options)
  body.HostConfig.ConsoleSize = terminalSize()
  let created: Created
  try {
    created = await create(client, body, options)
  } catch (error) {
    const missing = error instanceof ApiError && error.status === 404 && !isImageId(body.Image) && (options.pull ?? 'missing') === 'missing'
    if (!missing) throw error
    if (!options.quiet) printError(`Unable to find image '${withTag(body.Image)}' locally\n`)
    await pull(client, body, options)
    created = await create(client, body, options)
  }
  const local = body.HostConfig.Dns.find((address) => address.startsWith('127.') || address === '::1')
  const warnings = [...(created.Warnings ?? []), ...(local === undefined ? [] : [`Localhost DNS (${local}) may fail in containers.`])]
  for (const warning of warnings) printError(`WARNING: ${warning}\n`)
  cidfile.write(created.Id)
  return created.Id
}

interface Created {
  readonly Id: string
  readonly Warnings: readonly string[] | null
}

async function create(client: Client, body: CreateBody, { name, platform }: CreateOptions): Promise<Created> {
  return (await client.request<Created>('POST', '/containers/create', { query: { name: name === '' ? undefined : name, platform }, body })).body
}

async function pull(client: Client, body: CreateBody, { platform, quiet }: CreateOptions): Promise<void> {
  await pullImage(client, body.Image, { platform, out: quiet ? undefined : standardError() })
}

/** @throws Error for a pull policy that is none */
export function checkPullPolicy(given: string | undefined): void {
  if (given !== undefined && !['always', 'missing', 'never', ''].includes(given)) {
    throw new Error(`invalid pull option: '${given}': must be one of "always", "missing" or "never"`)
  }
}

/** Takes the cidfile before anything is created; it goes away again when no ID was written to it. */
function claimCidfile(path: string | undefined): Disposable & { write(id: string): void } {
  if (path === undefined || path === '') return { write: () => undefined, [Symbol.dispose]: () => undefined }
  if (existsSync(path)) throw new Error(`container ID file found, make sure the other container isn't running or delete ${path}`)
  try {
    writeFileSync(path, '', { flag: 'wx' })
  } catch (error) {
    throw new Error(`failed to create the container ID file: ${(error as Error).message}`, { cause: error })
  }
  let written = false
  return {
    write(id) {
      writeFileSync(path, id)
      written = true
    },
    [Symbol.dispose]() {
      if (!written) rmSync(path, { force: true })
    },
  }
}
