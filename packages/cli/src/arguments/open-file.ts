import { createReadStream, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { CommandError } from '../commands/command.ts'
import { errorText } from './error-text.ts'

/** Opens a file that is sent, so that one that is not there fails before anything goes out. @throws CommandError */
export async function openFile(path: string): Promise<Readable> {
  if (isDirectory(path)) throw new CommandError(`read ${path}: is a directory`)
  const stream = createReadStream(path)
  try {
    await new Promise<void>((resolve, reject) => stream.once('open', () => resolve()).once('error', reject))
  } catch (error) {
    throw new CommandError(`open ${path}: ${errorText(error)}`)
  }
  return stream
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // Opening it tells why.
    return false
  }
}
