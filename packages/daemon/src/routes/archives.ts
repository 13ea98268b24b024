import { addAbortSignal, type Readable } from 'node:stream'
import { writeProgress } from '../answer-stream.ts'
import { bodyStream } from '../body-stream.ts'
import { SENT, type Call, type Handlers } from '../call.ts'

/** Serves `docker save`, `docker load` and `docker export`. */
export const archives: Handlers<'ImageGet' | 'ImageGetAll' | 'ImageLoad' | 'ContainerExport'> = {
  ImageGet: (call) => save(call, [call.name]),
  ImageGetAll: (call) => save(call, call.query.names),

  async ImageLoad(call) {
    const { engine, query, request, signal } = call
    const body = bodyStream(request)
    try {
      const lines = engine.images.load(body, { quiet: query.quiet, platform: query.platform }, signal)
      await writeProgress(lines, () => call.stream({ 'Content-Type': 'application/json' }))
    } finally {
      body.destroy()
    }
    return SENT
  },

  async ContainerExport(call) {
    const tar = await call.engine.containers.export(call.name)
    addAbortSignal(call.signal, tar)
    await send(call, tar)
    return SENT
  },
}

async function save(call: Call<'ImageGet' | 'ImageGetAll'>, names: readonly string[]): Promise<unknown> {
  using saved = await call.engine.images.save(names, call.query.platform)
  await send(call, saved.tar)
  return SENT
}

/** A tar as the answer. What fails within it breaks the connection off, so that nobody takes a part for the whole. */
async function send(call: Pick<Call, 'stream'>, tar: AsyncIterable<Buffer> | Readable): Promise<void> {
  const stream = call.stream({ 'Content-Type': 'application/x-tar' })
  try {
    for await (const chunk of tar) await stream.write(chunk as Buffer)
  } catch (error) {
    stream.abort()
    throw error
  }
  stream.end()
}
