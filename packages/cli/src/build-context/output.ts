import { spawn } from 'node:child_process'
import { createWriteStream, mkdirSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Writable } from 'node:stream'
import type { Client } from '../connection/client.ts'
import { isTerminal } from '../terminal/output.ts'

const types = ['local', 'tar', 'oci', 'docker', 'image', 'cacheonly'] as const

/** One `--output`. */
export interface Output {
  readonly type: (typeof types)[number]
  /** A path; empty or `-` is standard output. */
  readonly dest: string
}

/** Reads `type=tar,dest=x.tar`, or a directory's path alone. @throws Error with docker's texts */
export function readOutput(text: string): Output {
  if (!text.includes('=')) return text === '-' ? { type: 'tar', dest: '-' } : { type: 'local', dest: text }
  let type: string | undefined
  let dest = ''
  for (const field of text.split(',')) {
    const equals = field.indexOf('=')
    if (equals < 0) throw new Error(`invalid value ${field}`)
    const key = field.slice(0, equals).toLowerCase()
    const value = field.slice(equals + 1)
    if (key === 'type') type = value
    else if (key === 'dest') dest = value
    else throw new Error(`output option ${key} is not supported`)
  }
  if (type === undefined) throw new Error('type is required for output')
  const known = types.find((candidate) => candidate === type)
  if (known === undefined) throw new Error(`output type ${JSON.stringify(type)} is not supported: ${types.join(', ')} are`)
  if (known === 'local' && dest === '') throw new Error('dest is required for local exporter')
  return { type: known, dest }
}

/**
 * Writes a built image where an output says.
 * @param name the image's name, which an archive carries
 * @param id   the image's id
 */
export async function writeOutput(client: Client, name: string, id: string, { type, dest }: Output): Promise<void> {
  if (type === 'image' || type === 'cacheonly') return
  const isFile = type === 'oci' || type === 'docker'
  const { body } = isFile ? await client.stream('GET', `/images/${name}/get`) : await client.stream('GET', `/build/files/${id}`)
  if (type === 'local') return unpack(body, dest)
  if (dest !== '' && dest !== '-') return pipeline(body, createWriteStream(dest))
  if (isTerminal(1)) throw new Error('dest file is required: refusing to write an archive to a terminal')
  await pipeline(body, process.stdout as Writable, { end: false })
}

/** tar(1) makes the files as the caller's, and follows no link out of the directory. */
async function unpack(archive: AsyncIterable<Buffer>, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const tar = spawn('tar', ['-x', '-f', '-', '-C', directory, '--no-same-owner', '--no-overwrite-dir'], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = new Promise<number | null>((resolve, reject) => tar.once('error', reject).once('exit', resolve))
  await pipeline(archive, tar.stdin)
  const status = await ended
  if (status !== 0) throw new Error(`tar failed with status ${status}`)
}
