import assert from 'node:assert/strict'
import { join } from 'node:path'
import { run } from './command-line.ts'

/** Makes `<name>.crt` and `<name>.key` in a directory. @param options more of `openssl req` */
export async function makeCertificate(directory: string, name: string, options: readonly string[]): Promise<void> {
  const made = await run('openssl', ['req', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name} of a test`, '-keyout', join(directory, `${name}.key`), '-out', join(directory, `${name}.crt`), ...options])
  assert.equal(made.status, 0, made.stderr)
}

/** An authority that can sign others. */
export const authority: readonly string[] = ['-x509', '-addext', 'basicConstraints=critical,CA:TRUE']

/** A certificate that an authority of the directory has signed. @param alternative `IP:127.0.0.1`, `DNS:registry.test` */
export function signedBy(directory: string, signer: string, alternative: string): string[] {
  return ['-x509', '-CA', join(directory, `${signer}.crt`), '-CAkey', join(directory, `${signer}.key`), '-addext', `subjectAltName=${alternative}`, '-addext', 'basicConstraints=critical,CA:FALSE']
}
