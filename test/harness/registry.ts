import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { run } from './command-line.ts'

/** A docker-registry of a test's own on loopback. */
export interface TestRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly directory: string
  /** What it has logged. */
  log(): string
}

export interface RegistrySettings {
  /** User and password, for basic authentication. */
  readonly user?: readonly [name: string, password: string]
  /** The token service that it refers to, and the file of the certificate that tokens are signed with. */
  readonly token?: { readonly realm: string; readonly service: string; readonly issuer: string; readonly certificate: string }
  /** Files of its certificate and key, and of authorities that clients must have a certificate of. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientcas?: readonly string[] }
}

/** A port of loopback that nobody has at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

export async function startRegistry(settings: RegistrySettings = {}): Promise<TestRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'engine-registry-'))
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const config: Record<string, unknown> = {
    version: '0.1',
    log: { level: 'info' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') }, delete: { enabled: true } },
    http: { addr: host, secret: 'of a test', ...(settings.tls === undefined ? {} : { tls: settings.tls }) },
  }
  if (settings.user !== undefined) {
    const [name, password] = settings.user
    writeFileSync(join(directory, 'htpasswd'), (await run('htpasswd', ['-Bbn', name, password])).stdout)
    config['auth'] = { htpasswd: { realm: 'of a test', path: join(directory, 'htpasswd') } }
  }
  if (settings.token !== undefined) {
    const { realm, service, issuer, certificate } = settings.token
    config['auth'] = { token: { realm, service, issuer, rootcertbundle: certificate } }
  }
  // JSON is YAML.
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(config))
  const child = spawn('docker-registry', ['serve', join(directory, 'config.yml')], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  for (let i = 0; i < 400 && !log.includes('listening on'); i++) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}: ${log}`)
    await sleep(25)
  }
  return {
    host, port, directory,
    url: `${settings.tls === undefined ? 'http' : 'https'}://${host}`,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export function digest(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export interface Content {
  readonly digest: string
  readonly size: number
  readonly mediaType: string
  readonly bytes: Buffer
}

export function content(bytes: Buffer | string, mediaType: string): Content {
  const all = Buffer.from(bytes)
  return { digest: digest(all), size: all.length, mediaType, bytes: all }
}

/** A descriptor of it. */
export function described({ digest: of, size, mediaType }: Content): { readonly digest: string; readonly size: number; readonly mediaType: string } {
  return { digest: of, size, mediaType }
}

/** An image as a registry has it. */
export interface TestImage {
  readonly config: Content
  readonly layers: readonly Content[]
  readonly manifest: Content
}

const types = {
  docker: { manifest: 'application/vnd.docker.distribution.manifest.v2+json', config: 'application/vnd.docker.container.image.v1+json', layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip' },
  oci: { manifest: 'application/vnd.oci.image.manifest.v1+json', config: 'application/vnd.oci.image.config.v1+json', layer: 'application/vnd.oci.image.layer.v1.tar+gzip' },
}

/** Makes an image of layers' tars. @param more fields of its configuration */
export function makeImage(tars: readonly Buffer[], kind: 'docker' | 'oci' = 'oci', more: Readonly<Record<string, unknown>> = {}): TestImage {
  const type = types[kind]
  const layers = tars.map((tar) => content(gzipSync(tar, { level: 1 }), type.layer))
  const config = content(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Cmd: ['sh'] }, rootfs: { type: 'layers', diff_ids: tars.map(digest) }, history: tars.map((_, i) => ({ created_by: `layer ${i}` })), ...more }), type.config)
  const manifest = content(JSON.stringify({ schemaVersion: 2, mediaType: type.manifest, config: described(config), layers: layers.map(described) }), type.manifest)
  return { config, layers, manifest }
}

/** Puts content into a real registry, as a client does. */
export async function putBlob(base: string, repository: string, { bytes, digest: of }: Content): Promise<void> {
  const begun = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const url = new URL(begun.headers.get('location') ?? '', base)
  url.searchParams.set('digest', of)
  const put = await fetch(url, { method: 'PUT', body: new Uint8Array(bytes), headers: { 'content-type': 'application/octet-stream' } })
  if (put.status !== 201) throw new Error(`${put.status} ${await put.text()}`)
}

export async function putManifest(base: string, repository: string, reference: string, { bytes, mediaType }: Content): Promise<void> {
  const put = await fetch(`${base}/v2/${repository}/manifests/${reference}`, { method: 'PUT', body: new Uint8Array(bytes), headers: { 'content-type': mediaType } })
  if (put.status !== 201) throw new Error(`${put.status} ${await put.text()}`)
}

export async function putImage(base: string, repository: string, reference: string, image: TestImage): Promise<void> {
  for (const blob of [...image.layers, image.config]) await putBlob(base, repository, blob)
  await putManifest(base, repository, reference, image.manifest)
}
