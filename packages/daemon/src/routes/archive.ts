import { addAbortSignal, type Readable, type Transform } from 'node:stream'
import { createDeflateRaw, createGzip } from 'node:zlib'
import type { ArchiveStat } from '@engine/engine'
import { bodyStream } from '../body-stream.ts'
import { SENT, type Call, type Handlers } from '../call.ts'

/** Serves `docker cp` and `docker diff`. */
export const archive: Handlers<'ContainerArchiveInfo' | 'ContainerArchive' | 'PutContainerArchive' | 'ContainerChanges'> = {
  async ContainerArchiveInfo(call) {
    call.header(statHeader, encoded(await call.engine.containers.statArchive(call.name, call.query.path)))
  },

  async ContainerArchive(call) {
    const { stat, tar } = await call.engine.containers.readArchive(call.name, call.query.path)
    const coding = contentCoding(call)
    const stream = call.stream({ 'Content-Type': 'application/x-tar', [statHeader]: encoded(stat), ...(coding === undefined ? {} : { 'Content-Encoding': coding.name }) })
    addAbortSignal(call.signal, tar)
    try {
      for await (const chunk of coding === undefined ? tar : through(tar, coding.coder())) await stream.write(chunk as Buffer)
    } finally {
      tar.destroy()
    }
    stream.end()
    return SENT
  },

  async PutContainerArchive({ engine, name, query, request, signal }) {
    const body = bodyStream(request)
    try {
      await engine.containers.writeArchive(name, query.path, body, { keepKinds: query.noOverwriteDirNonDir, ownedByUser: query.copyUIDGID }, signal)
    } finally {
      body.destroy()
    }
  },

  ContainerChanges: ({ engine, name }) => engine.containers.changes(name),
}

const statHeader = 'X-Docker-Container-Path-Stat'

/** The names in the order of Docker's, for whoever compares. */
function encoded({ name, size, mode, mtime, linkTarget }: ArchiveStat): string {
  return Buffer.from(JSON.stringify({ name, size, mode, mtime, linkTarget })).toString('base64')
}

/** For a client that asks for one coding, as moby does it; `gzip, deflate` gets the tar as it is. */
function contentCoding({ request }: Call<'ContainerArchive'>): { readonly name: string; readonly coder: () => Transform } | undefined {
  const name = request.headers['accept-encoding']
  if (name === 'gzip') return { name, coder: createGzip }
  return name === 'deflate' ? { name, coder: createDeflateRaw } : undefined
}

function through(source: Readable, coder: Transform): Transform {
  source.once('error', (error) => coder.destroy(error))
  return source.pipe(coder)
}
