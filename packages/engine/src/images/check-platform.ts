import { parsePlatform, type Platform } from '@engine/image'
import { EngineError } from '@engine/linux'
import type { ImageRow } from '../state/images-table.ts'

/** @throws EngineError not-found in Docker's words */
export function checkPlatform(ref: string, { config }: ImageRow, platform: string | Platform): void {
  const wanted = typeof platform === 'string' ? parsePlatform(platform) : platform
  const isSame = config.architecture === wanted.architecture && (config.os || 'linux') === wanted.os && (wanted.variant === undefined || wanted.variant === (config.variant ?? wanted.variant))
  if (isSame) return
  const shown = (one: Platform): string => [one.os, one.architecture, ...(one.variant === undefined ? [] : [one.variant])].join('/')
  const actual = { os: config.os || 'linux', architecture: config.architecture, ...(config.variant === undefined ? {} : { variant: config.variant }) }
  throw new EngineError('not-found', `image with reference ${ref} was found but its platform (${shown(actual)}) does not match the specified platform (${shown(wanted)})`)
}

/** What a request's platform names, whether or not programs of it can run here. */
export function askedPlatform(text: string): Platform {
  const [os = '', architecture = '', variant] = text.split('/')
  return { os, architecture, ...(variant === undefined ? {} : { variant }) }
}
