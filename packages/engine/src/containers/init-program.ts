import { accessSync, constants } from 'node:fs'
import { EngineError } from '@engine/linux'

/** Where Debian's package tini puts the program that needs no library of the container. */
const candidates = ['/usr/bin/tini-static', '/usr/libexec/docker/docker-init', '/usr/bin/docker-init']

/** The program for `--init`. @throws EngineError unavailable when it is not installed */
export function findInit(): string {
  const found = candidates.find(isExecutable)
  if (found === undefined) {
    throw new EngineError('unavailable', 'the init program tini-static is not installed on this host, so --init cannot be used', { hint: 'apt install tini' })
  }
  return found
}

/** Its path if it is there, for `InitBinary` of GET /info. */
export function installedInit(): string | undefined {
  return candidates.find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
