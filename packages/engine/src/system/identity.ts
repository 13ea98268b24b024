import { readFileSync } from 'node:fs'

export const apiVersion = '1.51'
export const minimumApiVersion = '1.24'

let found: string | undefined

/** The package's version: put in by the bundler, or read from the package next to the source. */
export function programVersion(): string {
  found ??= process.env.ENGINE_VERSION ?? packageVersion()
  return found
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
  return version
}

/** This machine's architecture by Go's name, `amd64`. */
export function goArchitecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}
