import type { EngineContext } from '../context.ts'
import type { Container } from './container.ts'

export function linkedHosts(_engine: EngineContext, _container: Container): { readonly address: string; readonly names: string }[] {
  return []
}
