import { createHash } from 'node:crypto'
import { mkdtemp, open, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '@engine/linux'
import { baseName } from '../filepath.ts'
import { fetchUrl } from './fetch-url.ts'
import type { BuildOutput } from '../output.ts'

/** Name of a file that the address gives no name to. */
const unnamed = '__unnamed__'

export interface Download {
  /** Directory of ours that holds nothing else. */
  readonly directory: string
  /** The file's name there. */
  readonly name: string
  /** Whether the server or the address gave that name. */
  readonly named: boolean
}

/** Whether a source of ADD is downloaded. */
export function isUrl(word: string): boolean {
  return /^https?:\/\//.test(word)
}

/**
 * Downloads a file into a new directory, with the time that the server says and mode 0600.
 * @param checksum `sha256:…` that it must have; empty is any
 * @throws EngineError invalid-argument; AbortError
 */
export async function download(url: string, within: string, checksum: string, output: BuildOutput, signal: AbortSignal): Promise<Download> {
  const response = await fetchUrl(url, signal)
  const found = fileName(url, response.headers.get('content-disposition'))
  const directory = await mkdtemp(join(within, 'download-'))
  const name = found ?? unnamed
  const hash = createHash('sha256')
  const total = Number(response.headers.get('content-length') ?? Number.NaN)
  let size = 0
  {
    await using file = await open(join(directory, name), 'wx', 0o600)
    for await (const chunk of response.body) {
      hash.update(chunk)
      await file.writeFile(chunk)
      size += chunk.length
      await output.progress('Downloading', size, Number.isNaN(total) ? undefined : total)
    }
  }
  await output.stdout('\n')
  const digest = `sha256:${hash.digest('hex')}`
  if (checksum !== '' && checksum !== digest) throw new EngineError('invalid-argument', `digest mismatch ${digest}: ${checksum}`)
  const modified = Date.parse(response.headers.get('last-modified') ?? '')
  const time = Number.isNaN(modified) ? 0 : modified / 1000
  await utimes(join(directory, name), time, time)
  return { directory, name, named: found !== undefined }
}

/** @throws EngineError invalid-argument unless it is a sha256 digest */
export function checkChecksum(checksum: string): void {
  if (/^sha256:[a-f0-9]{64}$/.test(checksum)) return
  throw new EngineError('invalid-argument', /^[a-z0-9]+:/.test(checksum) ? `unsupported digest algorithm: ${checksum}` : `invalid checksum digest format: ${checksum}`)
}

function fileName(url: string, disposition: string | null): string | undefined {
  const { pathname } = new URL(url)
  const path = decode(pathname)
  const disposed = /(?:^|;)\s*filename="?([^";]+)"?/i.exec(disposition ?? '')?.[1] ?? ''
  for (const candidate of [path, disposed]) {
    const name = candidate === '' || candidate.endsWith('/') ? '' : baseName(candidate)
    if (name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name)) return name
  }
  return undefined
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
