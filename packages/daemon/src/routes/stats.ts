import { isAtLeast, RequestError } from '@engine/api'
import { SENT, type Call } from '../call.ts'

/** GET /containers/{id}/stats: one sample, or one each second. */
export async function stats(call: Call<'ContainerStats'>): Promise<unknown> {
  const { engine, name, query, version, signal } = call
  const oneShot = query['one-shot'] && isAtLeast(version, '1.41')
  if (query.stream && oneShot) throw new RequestError('cannot have stream=true and one-shot=true')
  const samples = await engine.containers.stats(name, { stream: query.stream, oneShot }, signal)
  const stream = call.stream({ 'Content-Type': 'application/json' })
  for await (const sample of samples) await stream.write(`${JSON.stringify(sample)}\n`)
  stream.end()
  return SENT
}
