import { parseReference } from '@engine/image'
import { EngineError } from '@engine/linux'

/** Where `--cache-to` puts what a build has made. */
export type CacheTarget = { readonly type: 'inline' } | { readonly type: 'registry'; readonly ref: string; readonly mode: 'min' | 'max' }

/** Reads `type=inline`, `type=registry,ref=…,mode=max`, or a name alone. @throws EngineError invalid-argument in BuildKit's words */
export function readCacheTarget(text: string): CacheTarget {
  const { type, ref, mode } = fields(text, ['type', 'ref', 'mode'])
  if (type === 'inline') return { type }
  if (type !== 'registry') throw new EngineError('invalid-argument', `unknown cache exporter: ${JSON.stringify(type)}`, { hint: 'inline and registry are known' })
  if (ref === '') throw new EngineError('invalid-argument', 'registry cache exporter requires ref')
  if (mode !== '' && mode !== 'min' && mode !== 'max') throw new EngineError('invalid-argument', `unsupported mode ${JSON.stringify(mode)}: min and max are known`)
  return { type, ref, mode: mode === 'max' ? 'max' : 'min' }
}

/** Reads `type=registry,ref=…`, or a name alone. @returns the name of an image or a cache */
export function readCacheSource(text: string): string {
  const { type, ref } = fields(text, ['type', 'ref'])
  if (type !== 'registry') throw new EngineError('invalid-argument', `unknown cache importer: ${JSON.stringify(type)}`, { hint: 'registry is known' })
  if (ref === '') throw new EngineError('invalid-argument', 'registry cache importer requires ref')
  return ref
}

function fields(text: string, known: readonly string[]): { readonly type: string; readonly ref: string; readonly mode: string } {
  const found = new Map<string, string>()
  if (!text.includes('=')) found.set('type', 'registry').set('ref', text)
  else {
    for (const field of text.split(',')) {
      const equals = field.indexOf('=')
      const key = field.slice(0, equals).trim().toLowerCase()
      if (equals < 0 || !known.includes(key)) throw new EngineError('invalid-argument', `invalid cache option ${JSON.stringify(field)}: ${known.join(', ')} are known`)
      found.set(key, field.slice(equals + 1))
    }
  }
  const ref = found.get('ref') ?? ''
  if (ref !== '') parseReference(ref)
  return { type: found.get('type') ?? '', ref, mode: found.get('mode') ?? '' }
}
