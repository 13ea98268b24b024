import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext, getCACertificates, rootCertificates, type SecureContext } from 'node:tls'
import { EngineError } from '@engine/linux'

/** What TLS connections to one host use. */
export interface HostCertificates {
  readonly context: SecureContext
  /** The host has authorities of its own: whoever put them there wants them checked. */
  readonly own: boolean
}

/** The authorities that this host trusts; those that Node brings where it has none installed. */
function systemAuthorities(): readonly string[] {
  const installed = getCACertificates('system')
  return installed.length > 0 ? installed : rootCertificates
}

/**
 * Reads what the directories have for a host, the first directory that has something (dockerd's certs.d: `<host:port>/*.crt` are
 * authorities, `x.cert` with `x.key` is ours).
 * @throws EngineError invalid-argument for half a pair, in Docker's words
 */
export async function hostCertificates(host: string, directories: readonly string[]): Promise<HostCertificates> {
  // A host never names another directory: it has passed the pattern of references, in which there is no slash and no leading dot.
  for (const directory of directories.map((one) => join(one, host))) {
    const files = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
      throw error
    })
    if (files.length > 0) return await read(directory, files)
  }
  return { context: createSecureContext({ ca: [...systemAuthorities()] }), own: false }
}

async function read(directory: string, files: readonly string[]): Promise<HostCertificates> {
  const text = (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
  const authorities = await Promise.all(files.filter((name) => name.endsWith('.crt')).sort().map(text))
  for (const name of files) {
    const [stem = '', ending] = [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.'))]
    if (ending === '.cert' && !files.includes(`${stem}.key`)) throw missing(`missing key ${stem}.key for client certificate ${name}. CA certificates must use the extension .crt`)
    if (ending === '.key' && !files.includes(`${stem}.cert`)) throw missing(`missing client certificate ${stem}.cert for key ${name}`)
  }
  const own = files.find((name) => name.endsWith('.cert'))
  const pair = own === undefined ? {} : { cert: await text(own), key: await text(own.replace(/\.cert$/, '.key')) }
  return { context: createSecureContext({ ca: [...systemAuthorities(), ...authorities], ...pair }), own: authorities.length > 0 }
}

function missing(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
